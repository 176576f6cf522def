"""Column names of undeclared fields: dlt's snake case, plus a hash if another field could have the same."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache

from dlt.common.normalizers.naming.snake_case import NamingConvention

NAMING = NamingConvention()
DLT_PREFIX = "_dlt_"
"""The prefix of dlt's own columns."""

VARIANT_INFIX = "__v_"
"""The part of a variant column's name before its type."""

FURTHER = "_further_fields"
"""The JSON column for undeclared fields without a column. Its keys are the names that their columns would have.

No field has this name itself.
"""

MAX_NAME_LENGTH = 200
"""Characters of the name of an undeclared field's column. A field with a longer one has no column of its own."""

HASH_SUFFIX = re.compile("__h[0-9a-f]{8}$")
"""The suffix of columns whose fields could have shared one."""

AMBIGUOUS = re.compile(r"[^\w\s.:,;/()\[\]?!'\"-]|^[^A-Za-z]*[^\x00-\x7F][^A-Za-z]*$|^[^A-Za-z0-9]*$")
"""Keys that dlt's snake case does not tell from others: of "Discount %" and "Discount $" it makes the same, and of all
words in Greek or Chinese. What only separates words does not matter. Words such as "größe" keep the name that dlt gives
them, although it could be that of another word."""


def column_names(keys: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """Key -> column name. The names are unique and not in `taken`.

    dlt itself lets the last one win: of `Name` and a declared `name`, or of `fooBar` and `foo_bar`, one value would be
    lost silently. A name depends only on the record's own keys, so it is the same in every read.
    """
    names = {key: snake_case(key) for key in keys}
    count = Counter(names.values())
    own = {key for key, name in names.items() if key == name or (count[name] == 1 and not AMBIGUOUS.search(key))}
    return {key: name if key in own and _is_free(name, taken) else _with_hash(key, name) for key, name in names.items()}


@lru_cache(maxsize=10_000)
def snake_case(key: str) -> str:
    """The column name that dlt gives a key; empty if no character of the key is allowed in one."""
    return NAMING.normalize_path(key)


def column_name(key: str) -> str:
    """The column name of a key whose record has no other with the same."""
    name = snake_case(key)
    return _with_hash(key, name) if AMBIGUOUS.search(key) and key != name else name


def without_hash(column: str) -> str:
    """A column's name without the hash that makes it unique."""
    return HASH_SUFFIX.sub("", column)


def can_be_declared(column: str) -> bool:
    """Whether a schema may declare a column of this name: in snake case, and not the name of another kind of column."""
    is_reserved = column in {"", FURTHER} or column.startswith(DLT_PREFIX) or VARIANT_INFIX in column
    return not is_reserved and column == snake_case(column)


def _is_free(name: str, taken: Collection[str]) -> bool:
    return name not in taken and can_be_declared(name) and not HASH_SUFFIX.search(name)


def _with_hash(key: str, name: str) -> str:
    # A letter first: dlt would put an underscore before a digit.
    return f"{name.removeprefix(DLT_PREFIX) or 'field'}__h{hashlib.sha256(key.encode()).hexdigest()[:8]}"
