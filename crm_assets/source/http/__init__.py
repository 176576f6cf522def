"""One attempt at a request, retries and limits; answers, pages and errors. Imports `api` and `settings`."""
