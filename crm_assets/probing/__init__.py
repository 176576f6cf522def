"""Checks a CRM with at most two requests per list, before anything is read."""
