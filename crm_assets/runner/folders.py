"""The folders of models: their files, and what is built from them. Each is also a schema and an asset group."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

COMMON_CONFIG = frozenset({"materialized", "meta"})


@dataclass(frozen=True)
class Folder:
    """A folder of models.

    Attributes:
        key: The key in its YAML files that lists its models.
        suffix: The suffix of its files.
        materializations: The allowed materializations, the default first.
        config: The allowed keys of `config`.
    """

    key: str
    suffix: str
    materializations: tuple[str, ...]
    config: frozenset[str] = COMMON_CONFIG


_MODELS = COMMON_CONFIG | {"unique_key"}

FOLDERS: Mapping[str, Folder] = MappingProxyType(
    {
        "seeds": Folder("seeds", ".csv", ("seed",), COMMON_CONFIG | {"column_types"}),
        "staging": Folder("models", ".sql", ("view", "table", "incremental"), _MODELS),
        "snapshots": Folder(
            "snapshots",
            ".sql",
            ("snapshot",),
            _MODELS | {"strategy", "updated_at", "check_cols", "hard_deletes"},
        ),
        "marts": Folder("models", ".sql", ("table", "view", "incremental"), _MODELS),
    }
)
"""Name -> folder, in the order of the data flow."""

TESTS = "tests"
"""The folder of singular tests: each file has a SELECT that returns wrong rows."""
