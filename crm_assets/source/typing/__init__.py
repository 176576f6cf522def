"""JSON values to typed columns without loss, and personal data. Imports `http.page` and `schemas`."""
