"""Stores the tables: connections, lock, loading, sync log, published copy and lake. Imports `source`."""
