"""The CRM's settings: read from dlt's providers, checked before the first request.

Section `sources.crm` of the environment (`SOURCES__CRM__BASE_URL`), `.dlt/secrets.toml` and `.dlt/config.toml`, in this
order. The key may also come as plain `API_KEY`.
"""

import json
import os
from collections.abc import Mapping
from enum import Enum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import dlt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from crm_assets.source.api import ENDPOINTS, PAGE, PER_PAGE
from crm_assets.source.dlt_internals import configured_tables
from crm_assets.source.errors import SettingsError

SECTION = "sources.crm"
ENV_PREFIX = "SOURCES__CRM__"
SECRETS = frozenset({"api_key", "personal_data_key"})


class EndpointSettings(BaseModel):
    """What an installation may say differently about one resource.

    Attributes:
        path: Path below the base URL.
        params: Extra query parameters.
        total_is_exact: False where the API is known to count more records than it lists.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None = Field(default=None, min_length=1)
    params: dict[str, str | int | bool] = {}
    total_is_exact: bool = True

    @field_validator("path")
    @classmethod
    def _stays_with_the_api(cls, path: str | None) -> str | None:
        # dlt would send a request for a whole URL there, with the key.
        if path and ("://" in path or path.startswith("//")):
            raise ValueError("must be a path below base_url, such as /contacts/view/4000123, and no URL of its own")
        return path

    @field_validator("params")
    @classmethod
    def _paging_is_ours(cls, params: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(params.keys() & {PAGE, PER_PAGE})
        if taken:
            raise ValueError(
                f"{', '.join(taken)} cannot be set here: the paginator counts pages, and per_page is a setting"
            )
        return params


class PersonalData(str, Enum):
    """What becomes of the columns that the schemas mark as personal."""

    keep = "keep"
    leave_out = "leave_out"
    hash = "hash"


class CrmSettings(BaseModel):
    """Everything that can be configured about the CRM.

    Either both `base_url` and `api_key` are given (a real CRM) or neither (the sandbox).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str | None = None
    api_key: SecretStr | None = None
    api_key_name: str = Field(default="api_key", pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    allow_http: bool = False
    per_page: int = Field(default=50, ge=1, le=100)
    max_in_flight: int = Field(default=8, ge=1, le=64)
    requests_per_minute: int | None = Field(default=None, ge=1)
    requests_per_hour: int | None = Field(default=None, ge=1)
    request_max_attempts: int = Field(default=4, ge=1, le=10)
    request_backoff_factor: float = Field(default=2, ge=0, le=60)
    request_max_wait: float = Field(default=3600, ge=0, le=86400)
    request_timeout: float = Field(default=60, gt=0, le=600)
    incremental_lag: float = Field(default=300, ge=0, le=86400)
    asset_retry_delay: float = Field(default=30, ge=0, le=3600)
    personal_data: PersonalData = PersonalData.keep
    personal_data_key: SecretStr | None = None
    personal_data_allowed: tuple[str, ...] = ()
    endpoints: dict[str, EndpointSettings] = {}

    @field_validator("personal_data_allowed", mode="before")
    @classmethod
    def _names_from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [name for part in value.split(",") if (name := part.strip())]

    @field_validator("endpoints", mode="before")
    @classmethod
    def _endpoints_from_json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON ({error.msg} at character {error.pos})") from None

    @field_validator("endpoints")
    @classmethod
    def _known_resources(cls, value: dict[str, EndpointSettings]) -> dict[str, EndpointSettings]:
        unknown = sorted(value.keys() - ENDPOINTS.keys())
        if unknown:
            raise ValueError(f"names no resource: {', '.join(unknown)}; the resources are {', '.join(ENDPOINTS)}")
        return value

    @field_validator("api_key")
    @classmethod
    def _key_fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else ""
        if value is not None and (not text.strip() or not text.isascii() or not text.isprintable()):
            raise ValueError("must be printable ASCII on one line, as it is sent in a request header")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            well_formed = (
                parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) and value.isprintable()
            )
        except ValueError:
            well_formed = False
        if not well_formed or any(character.isspace() for character in value):
            raise ValueError("must be a URL such as https://example.com/crm")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must not hold a user name, a password, a query or a fragment")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _hashes_have_a_key(self) -> "CrmSettings":
        if self.personal_data is PersonalData.hash and not self.hash_key:
            raise ValueError(
                f"{_named('personal_data_key')} is missing, while personal_data is hash. Set it to a long random text, "
                "and keep it: with another key the same value has another hash"
            )
        return self

    @model_validator(mode="after")
    def _url_and_key_belong_together(self) -> "CrmSettings":
        if self.base_url and not self.api_key:
            raise ValueError(_missing("api_key", "base_url"))
        if self.api_key and not self.base_url:
            raise ValueError(_missing("base_url", "api_key"))
        if self.base_url and not self.allow_http:
            parts = urlsplit(self.base_url)
            if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
                raise ValueError(
                    f"{_named('base_url')} must start with https://, or the key would travel unencrypted; "
                    f"if you mean it, set {_named('allow_http')} to true"
                )
        return self

    @property
    def hash_key(self) -> bytes:
        """The key of the hashes that replace personal data; empty when none is set."""
        return self.personal_data_key.get_secret_value().encode() if self.personal_data_key else b""

    @property
    def is_sandbox(self) -> bool:
        """Whether the bundled sandbox is to be read: neither a base URL nor a key is set."""
        return self.base_url is None

    def path(self, resource: str) -> str:
        """Path of `resource` below the base URL."""
        configured = self.endpoints.get(resource)
        return (configured and configured.path) or ENDPOINTS[resource].path

    def params(self, resource: str) -> Mapping[str, str | int | bool]:
        """Extra query parameters of `resource`."""
        configured = self.endpoints.get(resource)
        return configured.params if configured else {}

    def total_is_exact(self, resource: str) -> bool:
        """Whether the API lists as many records of `resource` as it counts."""
        configured = self.endpoints.get(resource)
        return configured is None or configured.total_is_exact


def resolve_settings() -> CrmSettings:
    """Reads and checks the settings.

    Raises:
        SettingsError: One line per setting that is missing, unknown or not allowed.
    """
    given: dict[str, Any] = {}
    for name in CrmSettings.model_fields:
        accessor = dlt.secrets if name in SECRETS else dlt.config
        value: Any = accessor.get(f"{SECTION}.{name}")
        if value is not None and value != "":
            given[name] = value
    plain_key: Any = dlt.secrets.get("api_key")
    if "api_key" not in given and plain_key:
        given["api_key"] = plain_key
    if "api_key" in given:
        given["api_key"] = str(given["api_key"]).strip("\r\n")
    unknown = _unknown_settings()
    if unknown:
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}; known under {SECTION} are {', '.join(CrmSettings.model_fields)}."
        )
    try:
        return CrmSettings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(detail, given) for detail in error.errors())) from None


def setting_name(name: str) -> str:
    """How a user sets `name`, for messages: the environment variable."""
    return f"{ENV_PREFIX}{name.upper()}"


def _named(name: str) -> str:
    return f"{SECTION}.{name} ({setting_name(name)})"


def _missing(missing: str, given: str) -> str:
    return (
        f"{_named(missing)} is missing, while {given} is set. Set both to read a real CRM, "
        "or neither to use the bundled sandbox"
    )


def _sentence(detail: Any, given: Mapping[str, Any]) -> str:
    """One validation error as a sentence that names the setting, what was given and what is allowed."""
    reason = str(detail["msg"]).removeprefix("Value error, ")
    if not detail["loc"]:
        return f"{reason}."
    top = str(detail["loc"][0])
    inner = ".".join(str(part) for part in detail["loc"][1:])
    # What may hold a secret is not repeated: a URL can have a password in it.
    shown = "" if top in {*SECRETS, "base_url", "endpoints"} else f" is {given.get(top)!r}, which is not allowed"
    return f"Setting {_named(top)}{f', at {inner},' if inner else ''}{shown}: {reason}."


def _unknown_settings() -> list[str]:
    known = {name.upper() for name in CrmSettings.model_fields}
    unknown = [
        name
        for name in os.environ
        if name.upper().startswith(ENV_PREFIX) and name.upper().removeprefix(ENV_PREFIX) not in known
    ]
    for provider, table in configured_tables("sources", "crm"):
        unknown += [f"{SECTION}.{key} ({provider})" for key in table if str(key).upper() not in known]
    return sorted(unknown)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
