"""Page order, the end of a list and pages read ahead. Imports `http` and `api`."""
