"""The folders of models: what lies in each, and what it becomes. Each is a DuckDB schema and an asset group, too."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

COMMON_CONFIG = frozenset({"materialized", "meta"})


@dataclass(frozen=True)
class Folder:
    """One folder.

    Attributes:
        key: The key of its YAML files under which its models are listed.
        suffix: How its files' names end.
        materializations: What can become of them; the first one by default.
        config: Keys that `config` may have.
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
"""Name -> folder, in the order of the data's flow."""

TESTS = "tests"
"""The folder of singular tests: a SELECT for rows that should not be, in a file of its own."""
