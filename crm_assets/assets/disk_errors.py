"""Errors of the operating system or a lake's storage about files, with advice. Their messages hold no records."""

import errno
import os
import re
from collections.abc import Mapping
from types import MappingProxyType

import duckdb

from crm_assets.settings import setting_name
from crm_assets.warehouse.lake.address import is_about_storage

DATA_DIR = setting_name("data_dir")

NO_ROOM = (
    f"Free space on this disk, or set {DATA_DIR} to a folder on another one; a warehouse needs three times its size"
)
NOT_ALLOWED = f"Allow the user who runs this to write there, or set {DATA_DIR} to another folder"
NO_FOLDER = f"Set {DATA_DIR} to a folder"
UNREADABLE = (
    f"If a newer DuckDB has written the database in {DATA_DIR}, install that version. If the file is damaged, restore "
    "it from the published copy or a backup (docs/backup.md), or move it away: the next run reads the CRM into a "
    "new one, without vanished rows and history"
)
NO_STORAGE = f"Check the storage in {setting_name('warehouse_files')}, and materialize it again"

ADVICE: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: NO_ROOM,
        errno.EDQUOT: NO_ROOM,
        errno.EFBIG: NO_ROOM,
        errno.EACCES: NOT_ALLOWED,
        errno.EPERM: NOT_ALLOWED,
        errno.EROFS: NOT_ALLOWED,
        errno.ENOTDIR: NO_FOLDER,
        errno.EEXIST: NO_FOLDER,
        errno.EMFILE: "Raise the limit of open files (ulimit -n)",
    }
)
"""Error number of the operating system -> what to do."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        os.strerror(number): ADVICE[number]
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)
    }
)
"""Message of the operating system, as DuckDB quotes it -> what to do."""

DAMAGED = "Corrupt database file"
"""From DuckDB 2.0 on, such an error has no class of its own."""

QUOTED = re.compile(rf"(?:Could not|Cannot|Failed to) [^:\n]*(?:: )+({'|'.join(map(re.escape, REASONS))})")


def disk_error(error: BaseException) -> str:
    """The message of an error about files, with advice; empty for any other error."""
    if isinstance(error, (ConnectionError, TimeoutError)):
        return ""
    if isinstance(error, OSError) and error.errno:
        return f"{error}. {ADVICE.get(error.errno, f'Check the folder in {DATA_DIR}')}"
    if not isinstance(error, duckdb.Error):
        return ""
    if quoted := QUOTED.search(str(error)):
        return f"{quoted[0]}. {REASONS[quoted[1]]}"
    if isinstance(error, duckdb.IOException) or DAMAGED in str(error):
        advice = NO_STORAGE if is_about_storage(error) else UNREADABLE
        return f"{str(error).splitlines()[0].rstrip('.!')}. {advice}"
    return ""
