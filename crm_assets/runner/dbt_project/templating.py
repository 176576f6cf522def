"""SQL as dbt wants it: `ref()` and `source()` in place of addresses, everything else as it is written."""

from collections.abc import Collection, Mapping

import sqlglot

from crm_assets.runner.model import Model
from crm_assets.runner.timezone import VARIABLE
from crm_assets.warehouse.schemas import PRESENT

TIMEZONE = "'{{ var(\"reporting_timezone\") }}'"

Expressions = Mapping[str, str]
"""Address -> the expression that stands for it within braces, such as `ref('stg_accounts')`."""


def expressions(models: Collection[Model], sources: Collection[str]) -> Expressions:
    """What stands for the address of each model, of each source, and of each view of present rows."""
    return {
        **{f"raw.{table}": f"source('raw', '{table}')" for table in sources},
        **{f"{PRESENT}.{table}": f"ref('{PRESENT}_{table}')" for table in ("since", *sources)},
        **{model.address: f"ref('{model.name}')" for model in models},
    }


def templated(sql: str, known: Expressions) -> str:
    """A query with every known address replaced."""
    written, end = [], 0
    tokens = sqlglot.tokenize(sql, dialect="duckdb")
    for schema, dot, table in zip(tokens, tokens[1:], tokens[2:], strict=False):
        expression = known.get(f"{schema.text}.{table.text}".lower())
        if dot.text == "." and expression:
            written += [sql[end : schema.start], f"{{{{ {expression} }}}}"]
            end = table.end + 1
    return in_timezone("".join([*written, sql[end:]]))


def in_timezone(sql: str) -> str:
    """SQL with dbt's variable in place of the session's."""
    return sql.replace(VARIABLE, TIMEZONE)
