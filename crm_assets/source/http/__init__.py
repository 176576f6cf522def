"""Requests, retries and rate limits; answers, pages and errors. Imports `api` and `settings`."""
