"""The CRM's side in dlt terms: settings, HTTP, paging, schemas. Knows nothing of Dagster."""
