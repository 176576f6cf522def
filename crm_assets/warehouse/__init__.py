"""What runs need from outside: the DuckDB warehouse and the connection to the CRM."""
