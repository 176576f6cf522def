"""All errors that the project raises. Everything else may import this module; it imports nothing of the project.

```
CrmAssetsError
├── SettingsError          a setting, or what a command was given, is missing, unknown or not allowed
├── ExtraMissing           a package is not installed, since it is not for every installation
├── SchemaRefused          the YAML file of a resource's columns is wrong
├── ApiError               the CRM's list could not be read
│   ├── ApiRefusal           401, 403, 404, 422, a redirect …: it would refuse again
│   ├── BadAnswer            status 200, but not a page of records
│   └── ApiUnavailable       429, 5xx, a dropped connection, a time-out, after the last retry   (may recover)
├── WarehouseError         the tables could not be read or written
│   ├── NothingStored        there is no database, table or page to read yet
│   ├── WarehouseBusy        other processes used the tables for longer than the wait
│   │   └── NotErased        values were removed that are not erased from all files yet
│   ├── WarehouseUnreachable it could not be opened                                             (may recover if said)
│   └── CommitUnconfirmed    all of a transaction was written, or nothing                       (may recover)
└── ModelsRefused          model files are wrong
    ├── NotSelect            a file's SQL is not one SELECT
    ├── ModelError           a model's SQL could not be run                                     (may recover if said)
    └── WrongRows            a model's new rows failed its data tests
```

Messages say what is wrong, where, and what to do. They can be shown to anybody: they hold no record and no secret.
"""

from collections.abc import Sequence
from typing import Any


class CrmAssetsError(Exception):
    """Base class of the project's errors.

    Attributes:
        may_recover: Whether the same attempt may succeed later.
    """

    may_recover = False

    def __init__(self, message: str = "", *, may_recover: bool | None = None) -> None:
        """Makes an error.

        Args:
            message: What is wrong, where, and what to do.
            may_recover: Whether the same attempt may succeed later; None: as the class says.
        """
        super().__init__(message)
        if may_recover is not None:
            self.may_recover = may_recover


class SettingsError(CrmAssetsError):
    """A setting, or what a command was given, is missing, unknown or not allowed. Raised before anything is done."""


class ExtraMissing(CrmAssetsError):
    """A package is not installed, since it is not for every installation. The message has the command to install it."""


class SchemaRefused(CrmAssetsError):
    """The YAML file of a resource's columns is wrong. The message has file and line of each error, and what to do."""


class ApiError(CrmAssetsError):
    """A list of the CRM could not be read. The message names resource, page, status and the setting to look at."""


class ApiRefusal(ApiError):
    """The API refused the request (401, 403, 404, 422, a redirect …) and would refuse it again."""


class BadAnswer(ApiError):
    """The API answered with status 200, but not with a page of records."""


class ApiUnavailable(ApiError):
    """429, 500, 502, 503, 504, a dropped connection or a time-out, after the last retry of the request."""

    may_recover = True


class WarehouseError(CrmAssetsError):
    """The tables could not be read or written."""


class NothingStored(WarehouseError):
    """There is no database, table or page to read yet. The message says what creates it."""


class WarehouseBusy(WarehouseError):
    """Other processes used the tables for longer than the wait, or changed them meanwhile."""


class NotErased(WarehouseBusy):
    """Values were removed that are not erased from all files yet. Only the command in the message ends that."""


class WarehouseUnreachable(WarehouseError):
    """The warehouse could not be opened. The message says what could not be reached, without passwords."""


class CommitUnconfirmed(WarehouseError):
    """The catalog of a lake did not confirm a commit: all of it was written, or nothing."""

    may_recover = True


class ModelsRefused(CrmAssetsError):
    """Model files are wrong. The message has file and line of each error, what is wrong, and what to change."""


class NotSelect(ModelsRefused):
    """A file's SQL is not one SELECT.

    Attributes:
        line: The line of the rendered SQL.
    """

    def __init__(self, message: str = "", line: int = 1) -> None:
        """Takes what is wrong, and the line."""
        super().__init__(message)
        self.line = line


class ModelError(ModelsRefused):
    """A model's SQL could not be run. The message has the file, the line and DuckDB's reason."""


class WrongRows(ModelsRefused):
    """A model's rows failed data tests of severity error and were rolled back.

    Attributes:
        outcomes: The outcomes of its tests of severity error.
    """

    def __init__(self, message: str = "", outcomes: Sequence[Any] = ()) -> None:
        """Takes what failed, and the outcomes."""
        super().__init__(message)
        self.outcomes = outcomes


def counted(number: int, thing: str) -> str:
    """A number of things, for messages: 1 row, 1,000 rows."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
