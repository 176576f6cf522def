"""The schemas of a CRM. A connection belongs to one CRM, and a named CRM's schemas begin with its name: `north_raw`.

The rest of the project calls tables `raw.accounts` or `marts.task_backlog`, whichever CRM they are of. Only statements
have the names of schemas in the database.
"""

from dataclasses import dataclass

import duckdb

from crm_assets.settings import ONLY, Crm
from crm_assets.settings.crms import LAYERS
from crm_assets.warehouse.quoting import identifier, literal

RAW = "raw"
"""The layer of the raw tables."""

PRESENT = "present"
"""The layer of the views of raw tables."""

TABLES = """
select
    table_schema,
    table_name,
    table_type
from information_schema.tables
where table_catalog = current_database()
order by all
"""

CRM = "crm_assets_crm"
"""A DuckDB variable of a connection: the name of its CRM."""


@dataclass(frozen=True)
class CrmSchemas:
    """The schemas of one CRM."""

    crm: Crm

    @property
    def raw(self) -> str:
        """The schema of the raw tables."""
        return self.crm.named(RAW)

    @property
    def present(self) -> str:
        """The schema of the views of raw tables."""
        return self.crm.named(PRESENT)

    def relation(self, address: str) -> str:
        """The quoted name of a table or view in the database, for statements: `"north_raw"."accounts"`."""
        layer, _, table = address.partition(".")
        return identifier(self.crm.named(layer), table)

    def fill(self, statement: str, **names: str) -> str:
        """A statement with the schemas for `{raw}` and `{present}`, and other names for theirs."""
        return statement.format(raw=self.raw, present=self.present, **names)

    def layer(self, schema: str) -> str | None:
        """The layer that a schema of the database is; None if it is of another CRM."""
        if not self.crm.name:
            return schema
        return next((layer for layer in LAYERS if self.crm.named(layer) == schema), None)


def belong_to(connection: duckdb.DuckDBPyConnection, crm: Crm) -> None:
    """Makes a connection that of a CRM. Other connections are those of an only CRM, without a name."""
    connection.execute(f"set variable {CRM} = {literal(crm.name)}")


def schemas_of(connection: duckdb.DuckDBPyConnection) -> CrmSchemas:
    """The schemas of a connection's CRM."""
    [[name]] = connection.execute(f"select coalesce(getvariable('{CRM}'), '')").fetchall()
    return CrmSchemas(Crm(name) if name else ONLY)


def exist(connection: duckdb.DuckDBPyConnection, *addresses: str) -> bool:
    """Whether a connection's CRM has these tables and views. An error about a missing one would end a transaction."""
    return existing_tables(connection).keys() >= set(addresses)


def existing_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Address -> type of the tables and views of a connection's CRM: `BASE TABLE` or `VIEW`."""
    schemas = schemas_of(connection)
    found = connection.execute(TABLES).fetchall()
    return {f"{layer}.{table}": kind for schema, table, kind in found if (layer := schemas.layer(schema))}
