"""JSON values to typed columns without loss, and personal data. Imports `api`, `settings` and `schemas`."""
