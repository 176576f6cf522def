"""Paginators: page order, the end of a list, pages fetched ahead, and the report. Imports `http` and `typing`."""
