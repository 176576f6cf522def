"""What is said where a lake cannot be reached: what that was, why, and which setting to look at. Without passwords."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from crm_assets.errors import NothingStored, WarehouseError, WarehouseUnreachable
from crm_assets.warehouse.duckdb_messages import is_about_missing_lake, is_about_other_files, is_denial, is_refusal
from crm_assets.warehouse.lake.address import PREFIX, REFUSED, LakeAddress
from crm_assets.warehouse.lake.marker import NOT_FOUND


@contextmanager
def explained(
    address: LakeAddress, setting: str, errors: tuple[type[Exception], ...] = (duckdb.Error, OSError)
) -> Iterator[None]:
    """Explains errors of the body.

    Args:
        address: The lake.
        setting: The setting of what the body reaches.
        errors: The kinds of errors that are explained.

    Raises:
        NothingStored: The lake does not exist yet.
        WarehouseError: Its files are elsewhere.
        WarehouseUnreachable: Something could not be reached, or refused.
    """
    try:
        yield
    except errors as error:
        if is_about_missing_lake(error):
            raise NothingStored(f"{address} holds nothing yet: materialize the assets of group raw first") from None
        if is_about_other_files(error):
            raise WarehouseError(
                address.without_secrets(
                    f"{error} Set CRM_WAREHOUSE_FILES to where the lake has its files. docs/lake.md describes how to "
                    "move them. Nothing was written"
                )
            ) from None
        what = address.files if setting == "CRM_WAREHOUSE_FILES" else f"{PREFIX}{address.catalog}"
        status = getattr(error, "status_code", None)
        action = "written to" if is_denial(error) else "reached"
        refused = isinstance(error, OSError) or is_refusal(error) or is_denial(error) or status in REFUSED
        raise WarehouseUnreachable(
            address.without_secrets(f"{what} could not be {action}: {error}. {_advice(error, setting)}"),
            may_recover=not refused,
        ) from None


def _advice(error: Exception, setting: str) -> str:
    status = getattr(error, "status_code", None)
    if is_denial(error):
        return f"The role in {setting} may only read: use one that may write"
    if status == NOT_FOUND:
        return f"Create the bucket, or correct {setting}"
    if status in REFUSED:
        return (
            "The storage refuses the keys in AWS_ACCESS_KEY_ID: they are wrong, have expired, or may not get, put, "
            f"delete and list objects. Check them, and {setting}"
        )
    return f"Check {setting}, and whether it runs"
