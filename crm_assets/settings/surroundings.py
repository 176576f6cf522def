"""Settings about this machine: where data are kept, and how Dagster runs."""

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from crm_assets.settings.places import default_data_dir


class Surroundings(BaseModel):
    """The settings whose variables begin with `CRM_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True)

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="The folder with the databases; made when it is needed.",
        json_schema_extra={
            "shown_default": "`data/` in the project, or in the working folder of an installed package",
            "allowed": "a folder that can be written to; `~` is your home",
        },
    )
    schedule_timezone: str = Field(
        default="UTC",
        description="The time zone that schedules go by.",
        json_schema_extra={"allowed": "an IANA name such as `Europe/Berlin`"},
    )
    reporting_timezone: str = Field(
        default="UTC",
        description="The time zone in which the marts' days, weeks and months begin. After a change build all models.",
        json_schema_extra={"allowed": "an IANA name such as `Europe/Berlin`"},
    )
    executor: Literal["in_process", "multiprocess"] = Field(
        default="in_process",
        description="Whether a run's steps share its process or have one each, which takes two seconds more a step.",
    )
    lake: SecretStr | None = Field(
        default=None,
        description="A DuckLake for readers on other machines.",
        json_schema_extra={"allowed": "an address such as `ducklake:postgres:dbname=lake host=db`"},
    )
    lake_files: SecretStr | None = Field(
        default=None,
        description="Where the lake keeps its Parquet files, if not where it has them already.",
        json_schema_extra={"allowed": "a folder that all can reach, or `s3://bucket/crm`"},
    )

    notify: SecretStr | None = Field(
        default=None,
        description="Where alerts go: chats, mailboxes, webhooks. Without it they go to the log.",
        json_schema_extra={"allowed": "Apprise URLs, separated by commas, such as `slack://…` or `mailto://…`"},
    )
    ui_url: str = Field(
        default="http://127.0.0.1:3000",
        pattern=r"^https?://\S+$",
        description="The address of Dagster's UI, for the links in alerts.",
        json_schema_extra={"allowed": "a URL"},
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        try:
            return folder.expanduser().absolute()
        except RuntimeError:
            raise ValueError("begins with ~, and this user has no home: write the whole path") from None

    @field_validator("schedule_timezone", "reporting_timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (LookupError, ValueError, OSError):  # of no zone, of a path, of a folder of zones
            raise ValueError("is no time zone: give an IANA name such as Europe/Berlin") from None
