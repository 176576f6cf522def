"""Where tables are kept: connections, lock, loading, sync log, published copy and lake. Imports `source`."""
