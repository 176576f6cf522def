"""Features of dbt that the runner does not support. Each is refused by name, with what to do instead."""

import re
from collections.abc import Mapping
from types import MappingProxyType

EXPORT = "or go on in dbt itself, with what `python -m crm_assets dbt-project FOLDER` writes"
"""The alternative for users who need such a feature."""

JINJA = re.compile(r"\{[{%]-?\s*(\w+)?")

IN_SQL: Mapping[str, str] = MappingProxyType(
    {
        "ref": "write the model's address, such as staging.stg_accounts",
        "source": "write the table's address, such as raw.accounts",
        "config": "write config in the YAML file beside it",
        "var": "write the value; the reporting time zone is getvariable('reporting_timezone')",
        "is_incremental": "write a SELECT for the newest rows; earlier ones are kept by unique_key",
        "this": "write a SELECT that does not read its own table",
        "macro": "write the SQL itself, or a model that others read",
        "snapshot": "write the SELECT alone, and its strategy in the YAML file beside it",
        "test": "write a SELECT for the rows that should not be, in tests/",
        "doc": "write the description itself",
        "env_var": "write the value",
    }
)
"""Template expression -> what to write instead."""

_PLACE = "take it out: the folder is the schema, and the file's name the table's"
_ACCESS = "take it out: every model can be read by all others"

IN_YAML: Mapping[str, str] = MappingProxyType(
    {
        "sources": "take it out: raw tables are known, and documented in source/schemas",
        "macros": "take it out, and write the SQL itself",
        "exposures": "take it out, or keep it in a project of dbt's own",
        "metrics": "take it out, and write a mart",
        "semantic_models": "take it out, and write a mart",
        "saved_queries": "take it out, and write a mart",
        "groups": "take it out, and name the owner in meta: {owner: team:NAME}",
        "unit_tests": "take it out, and test the model with pytest, as crm_assets_tests/models does",
        "analyses": "take it out",
        "functions": "take it out, and write the SQL itself",
        "tests": "call it data_tests, as dbt has since 1.8",
        "versions": "take it out, and give each version a file",
        "constraints": "take it out, and write data_tests",
        "tags": "take it out: the folder is the group",
        "docs": "take it out",
        "schema": _PLACE,
        "alias": _PLACE,
        "database": _PLACE,
        "target_schema": _PLACE,
        "access": _ACCESS,
        "group": _ACCESS,
        "grants": "take it out: who can read the file can read all of it",
        "contract": "take it out, and write data_tests; check columns_documented compares the columns",
        "enabled": "take it out, or remove the file",
        "pre-hook": "take it out, and write the SQL in the model",
        "post-hook": "take it out, and write the SQL in a model that reads this one",
        "incremental_strategy": "take it out: rows are replaced by unique_key",
        "on_schema_change": "take it out: the table follows its SELECT, and earlier rows stay",
        "persist_docs": "take it out: descriptions are always kept as comments",
        "data_type": "take it out, and cast in the SELECT; of a seed, write column_types below config",
        "quote": "take it out: names are always quoted",
        "where": "take it out, and write an expression_is_true",
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
