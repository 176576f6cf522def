"""Converts JSON values to typed columns without loss, and redacts personal data. Imports `http.page` and `schemas`."""
