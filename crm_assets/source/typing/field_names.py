"""Names for undeclared fields: dlt's snake case, and a hash where that would put two fields into one column."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache

from crm_assets.source.dlt_internals import NamingConvention

NAMING = NamingConvention()
OF_DLT = "_dlt_"
"""What the names of dlt's own columns begin with."""

OF_VARIANTS = "__v_"
"""What the names of columns for values of another type have in them."""

TOLD_APART = re.compile("__h[0-9a-f]{8}$")
"""What the names of columns end with whose fields would have shared one."""


def column_names(keys: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """Key -> column name, each name once and none of it in `taken`.

    dlt itself lets the last one win: of `Name` beside a declared `name`, or of `fooBar` beside `foo_bar`, one value
    would be lost without a word. A name depends on the record's own keys alone, so it is the same in every read.
    """
    names = {key: snake_case(key) for key in keys}
    count = Counter(names.values())
    return {
        key: name if _is_free(name, taken) and (count[name] == 1 or key == name) else _told_apart(key, name)
        for key, name in names.items()
    }


@lru_cache(maxsize=10_000)
def snake_case(key: str) -> str:
    """The column name that dlt gives a key; empty where nothing of the key can stand in one."""
    return NAMING.normalize_path(key)


def without_hash(column: str) -> str:
    """A column's name as it would be if no other field had asked for it."""
    return TOLD_APART.sub("", column)


def _is_free(name: str, taken: Collection[str]) -> bool:
    return bool(name) and name not in taken and not name.startswith(OF_DLT) and OF_VARIANTS not in name


def _told_apart(key: str, name: str) -> str:
    # A letter first: dlt would put an underscore before a digit.
    return f"{name.removeprefix(OF_DLT) or 'field'}__h{hashlib.sha256(key.encode()).hexdigest()[:8]}"
