"""One attempt at a request, retries and limits; answers and errors. Imports `api`, `settings` and `schemas` only."""
