"""Page order, the end of a list, pages read ahead and the report. Imports `http` and `typing`."""
