"""Where tables are stored: connections, locks, transactions, the published copy, a lake. Imports `source`."""
