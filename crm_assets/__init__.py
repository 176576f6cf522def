"""A CRM's accounts, contacts, won deals, open tasks and past appointments in DuckDB, run by Dagster."""
