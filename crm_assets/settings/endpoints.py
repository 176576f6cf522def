"""Settings for a single resource."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from crm_assets.api import PAGE, PER_PAGE
from crm_assets.settings.documents import from_json

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


class Settings(BaseModel):
    """Settings that have the type they are declared with, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic takes true and false for 1 and 0.
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise PydanticCustomError("boolean", "must not be true or false")
        return value


def _fits_the_clock(minutes: int) -> int:
    whole = HOUR_MINUTES if minutes <= HOUR_MINUTES else DAY_MINUTES
    if whole % minutes or (minutes > HOUR_MINUTES and minutes % HOUR_MINUTES):
        raise ValueError("must divide an hour, such as 15, or be whole hours that divide a day, such as 240")
    return minutes


class EndpointSettings(Settings):
    """Settings for a single resource.

    Attributes:
        path: The path below the base URL.
        params: Extra query parameters.
        total_is_exact: False if the API counts more records than it lists.
        cadence_minutes: From one read of its schedule to the next.
        vanishing_share: A full read that lacks more than this share of the rows shown is to be confirmed.
    """

    path: Annotated[str, Field(pattern=r"\S"), AfterValidator(_stays_with_the_api)] | None = Field(
        default=None, json_schema_extra={"allowed": "a path below base_url, such as `/contacts/view/4000123`"}
    )
    params: Annotated[dict[str, str | int | bool], BeforeValidator(from_json), AfterValidator(_paging_is_ours)] = Field(
        default={}, json_schema_extra={"allowed": "a table whose values are texts, whole numbers, `true` or `false`"}
    )
    total_is_exact: bool = True
    cadence_minutes: Annotated[int, Field(ge=5, le=DAY_MINUTES), AfterValidator(_fits_the_clock)] = HOUR_MINUTES
    vanishing_share: float = Field(default=0.5, ge=0, le=1)

    @property
    def query(self) -> dict[str, str | int]:
        """The extra parameters as they are sent: true and false in JSON's spelling, not in Python's."""
        return {name: str(value).lower() if isinstance(value, bool) else value for name, value in self.params.items()}


def a_table(value: Any) -> Any:
    """The settings of a resource as a table, which may be given as JSON."""
    value = from_json(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table with any of {', '.join(EndpointSettings.model_fields)}")  # noqa: TRY004 - for pydantic
    return value
