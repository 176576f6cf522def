"""Settings about the CRM, and the one object that has all settings."""

from collections.abc import Iterator
from enum import Enum
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

import pydantic_core
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from crm_assets.api import ENDPOINTS, PAGE, PER_PAGE
from crm_assets.settings import secrets
from crm_assets.settings.deployment import TRUE_OR_FALSE, DeploymentSettings, Settings, number, setting, whole_number
from crm_assets.settings.documents import from_json
from crm_assets.settings.names import DEFS, SECTION, both_names, crm_files, setting_name

SHORTEST_KEY = 32
"""The fewest characters of a key of hashes. Whoever can guess the key can find the value of a hash by trying."""

FEWEST_DIFFERENT = 8
"""The fewest different characters of such a key. Of random ones, even of hexadecimal digits, it has more."""

SANDBOX = "the bundled sandbox"

NEW_KEY = "The command `crm-assets new-key` prints one"

HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"

HOUR_MINUTES, DAY_MINUTES = 60, 1440


def _stays_with_the_api(path: str) -> str:
    # dlt would send the key to that URL's host.
    if "://" in path or path.startswith("//"):
        raise ValueError("must be a path below base_url, such as /contacts/view/4000123, not a URL")
    return path


def _paging_is_ours(params: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted(params.keys() & {PAGE, PER_PAGE}):
        raise ValueError(
            f"{', '.join(taken)} cannot be set here: the paginator counts pages, and per_page is a setting"
        )
    return params


def _fits_the_clock(minutes: int) -> int:
    whole = HOUR_MINUTES if minutes <= HOUR_MINUTES else DAY_MINUTES
    if whole % minutes or (minutes > HOUR_MINUTES and minutes % HOUR_MINUTES):
        raise ValueError("must divide an hour, such as 15, or be whole hours that divide a day, such as 240")
    return minutes


Path = Annotated[str, Field(pattern=r"\S"), AfterValidator(_stays_with_the_api)]
Params = Annotated[dict[str, str | int | bool], BeforeValidator(from_json), AfterValidator(_paging_is_ours)]
Cadence = Annotated[int, AfterValidator(_fits_the_clock)]


class EndpointSettings(Settings):
    """Settings for a single resource.

    Attributes:
        path: The path below the base URL.
        params: Extra query parameters.
        total_is_exact: False if the API counts more records than it lists.
        cadence_minutes: From one read of its schedule to the next.
        vanishing_share: A full read that lacks more than this share of the rows shown is to be confirmed.
    """

    path: Path | None = setting(None, "a path below base_url, such as `/contacts/view/4000123`")
    params: Params = setting({}, "a table whose values are texts, whole numbers, `true` or `false`")
    total_is_exact: bool = setting(True, TRUE_OR_FALSE)
    cadence_minutes: Cadence = whole_number(HOUR_MINUTES, 5, DAY_MINUTES)
    vanishing_share: float = number(0.5, 1)

    @property
    def query(self) -> dict[str, str | int]:
        """The extra parameters as they are sent: true and false in JSON's spelling, not in Python's."""
        return {name: str(value).lower() if isinstance(value, bool) else value for name, value in self.params.items()}


class PersonalData(str, Enum):
    """What happens to personal data: the policy for columns that the schemas tag as personal."""

    keep = "keep"
    leave_out = "leave_out"
    hash = "hash"


def _from_json(value: Any) -> Any:
    try:
        return pydantic_core.from_json(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None


def _names_from_text(value: Any) -> Any:
    if not isinstance(value, str) or value.startswith("["):  # as dlt writes lists in variables
        return _from_json(value)
    return [name.strip() for name in value.split(",") if name.strip()]


def _known_resources(value: dict[str, EndpointSettings]) -> dict[str, EndpointSettings]:
    if unknown := sorted(value.keys() - ENDPOINTS.keys()):
        raise ValueError(f"has unknown resources: {', '.join(unknown)}. The resources are {', '.join(ENDPOINTS)}")
    return value


def _fits_a_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip("\r\n")
    if not text.strip() or not text.isascii() or not text.isprintable():
        raise ValueError("must be printable ASCII on one line, since it is sent in a request header")
    return SecretStr(text)


def _cannot_be_guessed(value: SecretStr) -> SecretStr:
    key = value.get_secret_value().strip()
    if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_DIFFERENT:
        raise ValueError(
            f"must have at least {SHORTEST_KEY} characters, and {FEWEST_DIFFERENT} different ones. {NEW_KEY}"
        )
    return value


def _is_a_url(value: str) -> str:
    try:
        url = urlsplit(value)
        is_url = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_url = False
    if not is_url or not value.isprintable() or " " in value:
        raise ValueError("must be a URL such as https://example.com/crm")
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("must not hold a user name, a password, a query or a fragment")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_is_a_url)]
Key = Annotated[SecretStr, AfterValidator(_fits_a_header)]
HashKey = Annotated[SecretStr, AfterValidator(_cannot_be_guessed)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names_from_text)]
Endpoint = Annotated[EndpointSettings, BeforeValidator(from_json)]
Endpoints = Annotated[dict[str, Endpoint], BeforeValidator(_from_json), AfterValidator(_known_resources)]


class CrmSettings(DeploymentSettings):
    """All settings.

    `base_url` and `api_key` are either both set (a real CRM) or both unset (the sandbox).
    """

    base_url: Address | None = setting(None, "a URL with https, or with http to this machine")
    """The API's address. If neither this nor the key is set, the bundled sandbox is read."""

    api_key: Key | None = setting(None, "printable ASCII on one line")
    """The API key."""

    api_key_name: str = setting("api_key", "a header's name, such as `Authorization`", pattern=HEADER_NAME)
    """The request header that carries the key."""

    allow_http: bool = setting(False, TRUE_OR_FALSE)
    """Whether the key may be sent unencrypted, to a host without https."""

    per_page: int = whole_number(50, 1, 100)
    """Records per page."""

    max_in_flight: int = whole_number(8, 1, 64)
    """Requests in flight at a time. Each 429 halves it."""

    requests_per_minute: int | None = whole_number(None, 1)
    """The most requests per minute, retries included: of one process, or with a lake of all processes."""

    requests_per_hour: int | None = whole_number(None, 1)
    """The same per hour. Requests of earlier runs, from `raw.sync_log`, count."""

    request_max_wait: float = number(3600, 86400)
    """Longest `Retry-After` that is honoured, in seconds. A longer one is an error."""

    request_timeout: float = number(60, 600, may_be_zero=False)
    """Seconds to wait for a connection, and for each next piece of an answer."""

    request_deadline: float = number(300, 3600, may_be_zero=False)
    """Seconds for a whole attempt, from the host's name to the last byte."""

    request_max_attempts: int = whole_number(4, 1, 10)
    """Maximum attempts per request."""

    request_backoff_factor: float = number(2, 60)
    """Seconds before the first retry, then doubled; `Retry-After` comes first."""

    incremental_lag: float = number(300, 86400)
    """Seconds that an incremental read goes back before its cursor."""

    asset_retry_delay: float = number(30, 3600)
    """Seconds before an asset's first retry, then doubled."""

    max_undeclared_columns: int = whole_number(500, 0, 1000)
    """Columns of a raw table for undeclared fields. Others share the JSON column `_further_fields`."""

    personal_data: PersonalData = setting(PersonalData.keep, "`keep`, `leave_out` or `hash`")
    """What happens to columns tagged `personal_data`. `hash` needs the key below. `crm-assets apply-policy` applies a
    change to what is stored."""

    personal_data_key: HashKey | None = setting(None, f"{SHORTEST_KEY} or more random characters; keep it")
    """The key of the hashes. With the same key, the same value has the same hash."""

    personal_data_allowed: Names = setting((), "names, separated by commas, or a list in JSON")
    """Undeclared fields that are loaded although `personal_data` is `leave_out` or `hash`."""

    endpoints: Endpoints = setting({}, "JSON, TOML, or variables such as `SOURCES__CRM__ENDPOINTS__CONTACTS__PATH`")
    """`path` and `params` of each resource; `total_is_exact: false` if the API counts more records than it lists;
    `cadence_minutes` from one scheduled read to the next, 60 unless set; `vanishing_share` of the rows that may vanish
    at once, 0.5 unless set."""

    def contradictions(self, section: str) -> Iterator[str]:
        """What is wrong with settings together, each of which is allowed alone. `section`: that of the CRM."""

        def named(name: str) -> str:
            return both_names(setting_name(name, section))

        if self.personal_data is PersonalData.hash and not self.hash_key:
            yield (
                f"{named('personal_data_key')} is missing, but personal_data is hash. {NEW_KEY}. Keep it: "
                "with another key the same value has another hash"
            )
        missing = [named(name) for name in ("base_url", "api_key") if not getattr(self, name)]
        if missing and section != SECTION:
            are = "are" if len(missing) > 1 else "is"
            names = sorted(name for is_read, _, names in crm_files() if is_read for name in names)
            unknown = f". No folder in {DEFS} has the CRM {section}; names there: {', '.join(names) or 'none'}"
            yield (
                f"{' and '.join(missing)} {are} missing. Set both: each CRM has its own"
                f"{'' if section in names else unknown}"
            )
        elif len(missing) == 1:
            given = "SOURCES__CRM__BASE_URL" if self.base_url else "SOURCES__CRM__API_KEY or API_KEY"
            yield (
                f"{missing[0]} is missing, but {given} is set. Set both to read a real CRM, or neither to use the "
                "bundled sandbox"
            )
        url = urlsplit(self.base_url or "")
        if url.scheme == "http" and not self.allow_http and not is_loopback(url.hostname or ""):
            yield (
                f"{named('base_url')} must start with https://, or the key would be sent unencrypted. "
                f"To allow that, set {named('allow_http')} to true"
            )
        if self.warehouse and self.warehouse.get_secret_value().startswith("ducklake:") and not self.warehouse_files:
            yield (
                "CRM_WAREHOUSE_FILES is missing, but CRM_WAREHOUSE is a lake. Set it to the place of its Parquet "
                "files, which all machines can access: a folder, or s3://bucket/crm"
            )

    @property
    def hash_key(self) -> bytes:
        """The key of the hashes that replace personal data; empty if none is set."""
        key = self.personal_data_key.get_secret_value() if self.personal_data_key else ""
        return key.encode(errors="surrogateescape")  # random bytes in a variable need not be UTF-8

    @property
    def is_sandbox(self) -> bool:
        """Whether the bundled sandbox is read, since neither a base URL nor a key is set."""
        return self.base_url is None

    @property
    def source(self) -> str:
        """Which CRM is read: its address, of whose secrets there is a digest, or that it is the sandbox."""
        return secrets.with_digest(self.base_url, secrets.url(self.base_url).shown) if self.base_url else SANDBOX

    def endpoint(self, resource: str) -> EndpointSettings:
        """The settings of `resource`."""
        return self.endpoints.get(resource, EndpointSettings())

    def path(self, resource: str) -> str:
        """The path of `resource` below the base URL."""
        return self.endpoint(resource).path or ENDPOINTS[resource].path


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
