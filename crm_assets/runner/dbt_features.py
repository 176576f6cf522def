"""Features of dbt that the runner does not support. Each is refused by name, with what to do instead."""

import re
from collections.abc import Mapping
from types import MappingProxyType

EXPORT = "or export the models with `python -m crm_assets dbt-project FOLDER` and use dbt"
"""The alternative for users who need such a feature."""

JINJA = re.compile(r"\{[{%]-?\s*(\w+)?")

IN_SQL: Mapping[str, str] = MappingProxyType(
    {
        "ref": "write the model's address, such as staging.stg_accounts",
        "source": "write the table's address, such as raw.accounts",
        "config": "write config in the YAML file next to it",
        "var": "write the value; the reporting time zone is getvariable('reporting_timezone')",
        "is_incremental": "write a SELECT for the newest rows; earlier ones are kept by unique_key",
        "this": "write a SELECT that does not read its own table",
        "macro": "write the SQL itself, or a model that others read",
        "snapshot": "write only the SELECT, and the strategy in the YAML file next to it",
        "test": "write a SELECT that returns the wrong rows, in tests/",
        "doc": "write the description itself",
        "env_var": "write the value",
    }
)
"""Template expression -> what to write instead."""

_PLACE = "remove it: the folder is the schema, and the file's name is the table's name"
_ACCESS = "remove it: every model can be read by all others"

IN_YAML: Mapping[str, str] = MappingProxyType(
    {
        "sources": "remove it: raw tables are documented in source/schemas",
        "macros": "remove it and write the SQL itself",
        "exposures": "remove it, or keep it in a dbt project",
        "metrics": "remove it and write a mart",
        "semantic_models": "remove it and write a mart",
        "saved_queries": "remove it and write a mart",
        "groups": "remove it and name the owner in meta: {owner: team:NAME}",
        "unit_tests": "remove it and test the model with pytest, as crm_assets_tests/models does",
        "analyses": "remove it",
        "functions": "remove it and write the SQL itself",
        "tests": "rename it to data_tests, its name since dbt 1.8",
        "versions": "remove it and write a file for each version",
        "constraints": "remove it and write data_tests",
        "tags": "remove it: the folder is the group",
        "docs": "remove it",
        "schema": _PLACE,
        "alias": _PLACE,
        "database": _PLACE,
        "target_schema": _PLACE,
        "access": _ACCESS,
        "group": _ACCESS,
        "grants": "remove it: whoever can read the file can read all of it",
        "contract": "remove it and write data_tests; check columns_documented compares the columns",
        "enabled": "remove the key, or remove the file",
        "pre-hook": "remove it and write the SQL in the model",
        "post-hook": "remove it and write the SQL in a model that reads this one",
        "incremental_strategy": "remove it: rows are replaced by unique_key",
        "on_schema_change": "remove it: the table follows its SELECT, and earlier rows stay",
        "persist_docs": "remove it: descriptions are always kept as comments",
        "data_type": "remove it and cast in the SELECT; of a seed, write column_types below config",
        "quote": "remove it: names are always quoted",
        "where": "remove it and write an expression_is_true",
    }
)
"""Key -> what to do instead."""


def instead(key: str) -> str | None:
    """What to do instead of an unsupported key of dbt; None for a key that dbt does not have."""
    return f"{IN_YAML[key]}, {EXPORT}" if key in IN_YAML else None


def jinja(sql: str) -> tuple[int, str] | None:
    """The line of a file's first template expression, and what to write instead; None if there is none."""
    found = JINJA.search(re.sub(r"--[^\n]*", "", sql))
    if found is None:
        return None
    name = found[1] or ""
    line = sql[: sql.index(found[0])].count("\n") + 1
    remedy = IN_SQL.get(name, "write plain SQL, and plain text in YAML")
    return line, f"dbt's {name or 'templates'} cannot be used here: {remedy}, {EXPORT}"
