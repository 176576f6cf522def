"""What is read out of DuckDB's error messages, whose wording it does not promise.

`test_contracts.py` fails when an upgrade words them otherwise. Until then nothing would be lost but convenience: a
database that a notebook has open is not waited for, and messages name no line and give no advice.
"""

import re

import duckdb

LOCKED = "Could not set lock"
HOLDER = re.compile(r"held in (.+?)\. See", re.DOTALL)
LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
MISSING = re.compile(r"(Table|Schema|schema) (with name )?.* does not exist")
CONFLICT = re.compile(r"conflict|maximum retry count|could not serialize", re.IGNORECASE)
MISSING_LAKE = "creating a new DuckLake is explicitly disabled"


def lock_holder(error: duckdb.Error) -> str | None:
    """Which process has the database open; None when that is not why DuckDB could not open it."""
    text = str(error)
    if LOCKED not in text:
        return None
    holder = HOLDER.search(text)
    return holder[1] if holder else "another process"


def reason(error: duckdb.Error) -> str:
    """What DuckDB refused, on one line, without the statement that it shows below."""
    return " ".join(LINE.split(str(error))[0].split())


def line(error: duckdb.Error) -> int | None:
    """The line of the statement that DuckDB points at; None when it points at none."""
    found = LINE.search(str(error))
    return int(found[1]) if found else None


def is_about_missing_table(error: duckdb.Error) -> bool:
    """Whether a table or schema that the statement reads is not there."""
    return MISSING.search(reason(error)) is not None


def is_conflict(error: BaseException) -> bool:
    """Whether a transaction failed because another one changed the same, and would succeed if made again."""
    return isinstance(error, duckdb.TransactionException) and CONFLICT.search(str(error)) is not None


def is_about_missing_lake(error: duckdb.Error) -> bool:
    """Whether a lake was to be read that nothing was written to yet."""
    return MISSING_LAKE in str(error)
