"""Settings about this machine: where data are kept, and how Dagster runs."""

import calendar
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from crm_assets.settings import secrets
from crm_assets.settings.documents import default_data_dir

MONTHS = tuple(calendar.month_name)
"""The names of months, by number."""


@cache
def _known_timezone(name: str) -> str:
    # Some machines have files such as localtime, or take europe/berlin, which DuckDB or another machine does not know.
    if name not in available_timezones() - {"Factory", "localtime"}:
        raise ValueError("give an IANA name such as Europe/Berlin")
    return name


def _month(value: object) -> int:
    text = str(value).strip().capitalize()
    number = MONTHS.index(text) if text in MONTHS else int(text) if text.isdecimal() else 0
    if number not in range(1, 13):
        raise ValueError("give 1 to 12, or a name such as April")
    return number


WEEKLY = "0 7 * * 1"
"""Mondays at seven."""

CRON_PARTS = 5
"""Minute, hour, day, month, day of the week."""


def _cron(text: str) -> str:
    if text.strip() == "weekly":
        return WEEKLY
    # Imported here, since few set a digest. Dagster's schedules accept the same: it has a copy of this package.
    from croniter import croniter

    parts = text.split()
    if len(parts) != CRON_PARTS or not croniter.is_valid(text):
        raise ValueError("give weekly, or a cron expression of five parts, such as 30 7 * * 1")
    return " ".join(parts)


def _absolute(folder: Path) -> Path:
    try:
        path = folder.expanduser().absolute()
    except RuntimeError:
        raise ValueError("this user has no home: give the whole path") from None
    _in_utf8(str(path))
    return path


def _in_utf8(path: str) -> None:
    # DuckDB takes paths in UTF-8 only.
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8: give another path, or set LC_ALL to a UTF-8 locale such as C.UTF-8") from None


WRONG_TABLES = {
    r"(?!ducklake:|md:)\w{2,}:": "is not a path and does not begin with ducklake: or md:",  # a drive has one letter
    r"ducklake:(?!postgres:)(\s*\w{2,}:|$)": "is a lake whose catalog is not in PostgreSQL: give ducklake:postgres:"
    "dbname=lake host=db or, to try it on one machine, ducklake:/path/to/crm.ducklake",
    r"(?!ducklake:postgres:|md:)(.*[\s:])?(dbname|host|user|password)\s*=": "is not a path: a connection string begins "
    "with ducklake:postgres:",
}
"""What `CRM_WAREHOUSE` cannot be -> what is said about it."""


def _known_kind(address: SecretStr) -> SecretStr:
    text = address.get_secret_value()
    _in_utf8(text)
    for pattern, wrong in WRONG_TABLES.items():
        if re.match(pattern, text, re.DOTALL):
            raise ValueError(wrong)
    if problem := secrets.warehouse(text).problem:
        raise ValueError(
            f"{problem}: separate key=value pairs with blanks, put a value with blanks or quotes into single "
            "quotes, with \\ before quotes in it; in a URL, write / in a password as %2F and @ as %40"
        )
    return address


def _place(files: SecretStr) -> SecretStr:
    if re.match(r"(?!s3://[^/])\w{2,}:", files.get_secret_value()):  # there are no credentials for others
        raise ValueError("is neither a folder nor an address in S3: give s3://bucket/crm, also for S3 APIs of others")
    return files


def _without_user(address: str) -> str:
    if "@" in urlsplit(address).netloc:
        raise ValueError("must not hold a user name, a password or a token: Dagster's UI shows it")
    return address


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


def setting(default: Any, allowed: str, **rules: Any) -> Any:
    """A setting whose allowed values are said in words. `rules`: those that pydantic checks."""
    return Field(default, json_schema_extra={"allowed": allowed}, **rules)


def whole_number(default: int | None, lowest: int, highest: int | None = None) -> Any:
    """A setting that is a whole number."""
    allowed = f"{lowest} or more" if highest is None else f"{lowest} to {highest}"
    return setting(default, allowed, ge=lowest, le=highest)


def number(default: float, highest: float, *, may_be_zero: bool = True) -> Any:
    """A setting that is a number from 0, with fractions."""
    bounds = {"ge": 0, "le": highest} if may_be_zero else {"gt": 0, "le": highest}
    return setting(default, f"{'' if may_be_zero else 'more than '}0 to {highest}, fractions too", **bounds)


TRUE_OR_FALSE = "`true` or `false`"


SIZE = r"^([1-9]\d{2,}(\.\d+)? ?M|\d+(\.\d+)? ?[GT])i?B$"
"""100MB or more. The sandbox's models cannot be built with 32MB, since DuckDB reads a CSV file in blocks of 31 MiB."""

WEB_URL = r"^https?://\S+$"

TimeZone = Annotated[str, AfterValidator(_known_timezone)]
Month = Annotated[int, BeforeValidator(_month)]
Currency = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern="^[A-Za-z]{3}$")]
Cron = Annotated[str, AfterValidator(_cron)]
Folder = Annotated[Path, AfterValidator(_absolute)]
Repository = Annotated[str, StringConstraints(pattern=WEB_URL), AfterValidator(_without_user)]
Tables = Annotated[SecretStr, AfterValidator(_known_kind)]
Files = Annotated[SecretStr, AfterValidator(_place)]


class DeploymentSettings(Settings):
    """The settings whose variables begin with `CRM_`. The text below each is its description for users."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    data_dir: Folder = Field(
        default_factory=default_data_dir,
        json_schema_extra={"allowed": "a folder that can be written to; `~` is your home"},
    )
    """The folder of the databases. It is created when needed."""

    schedule_timezone: TimeZone = setting("UTC", "an IANA name such as `Europe/Berlin`")
    """The time zone of the schedules."""

    reporting_timezone: TimeZone = setting("UTC", "an IANA name such as `Europe/Berlin`")
    """The time zone of the marts' days, weeks and months. After a change build all models."""

    fiscal_year_start: Month = setting(1, "1 to 12, or a name such as `April`")
    """The month in which fiscal years begin, for the year to date in `owner_month`."""

    currency: Currency | None = setting(None, "an ISO 4217 code such as `EUR`")
    """The company's currency, which the sales review names."""

    executor: Literal["in_process", "multiprocess", "docker", "k8s"] = setting(
        "in_process", "`in_process`, `multiprocess`, `docker` or `k8s`"
    )
    """Where steps run: in one process, or each in its own process, Docker container or Kubernetes job."""

    warehouse: Tables | None = setting(None, "a path, `ducklake:postgres:dbname=lake host=db`, `md:crm`")
    """Where the tables are kept: a DuckDB file, a lake that several machines share, or MotherDuck."""

    warehouse_files: Files | None = setting(None, "a folder that all machines can access, or `s3://bucket/crm`")
    """Where a lake keeps its Parquet files."""

    memory_limit: str | None = setting(None, "a size such as `4GiB`, at least 100MB", pattern=SIZE)
    """The memory of DuckDB in each process. Beyond it, tables are built on disk. Without it, DuckDB takes up to 80 % of
    the machine's, or the container's."""

    notify: SecretStr | None = setting(None, "Apprise URLs, separated by commas, such as `slack://…` or `mailto://…`")
    """Where alerts are sent: chats, mailboxes, webhooks. Without it they are only logged."""

    digest: Cron | None = setting(None, "`weekly`, or a cron expression such as `30 7 * * 1`")
    """When the sales review, with names of accounts, is sent to the addresses of alerts. `weekly`: Mondays at 7."""

    ui_url: str = setting("http://127.0.0.1:3000", "a URL", pattern=WEB_URL)
    """The address of Dagster's UI, for the links in alerts."""

    reports_url: str | None = setting(None, "a URL without a secret", pattern=WEB_URL)
    """Where a web server serves the folder `reports`, for the link to the sales review in Dagster's UI."""

    repository_url: Repository | None = setting(None, "a URL such as `https://github.com/acme/crm/blob/main`")
    """The project's folder in a repository, to which assets link; without a user name or token. Without it they link to
    local files."""

    keep_runs_days: int = whole_number(30, 0, 3650)
    """Days after which Dagster's runs are deleted, with their events and logs; 0 keeps all."""

    keep_log_days: int = whole_number(730, 0, 36500)
    """Days after which rows of the log tables are deleted, unless reads need them; 0 keeps all."""
