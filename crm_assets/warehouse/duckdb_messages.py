"""Interprets error messages of DuckDB, and of PostgreSQL behind it, whose wording is not documented.

`contracts/test_duckdb.py` and `test_lake_catalog.py` fail if an upgrade changes them. The effect would be small: runs
would not wait for a database that a notebook has open, would be retried although a password is wrong, and messages
would have no line.
"""

import re

import duckdb

LOCKED = "Could not set lock"
HOLDER = re.compile(r"held in (.+?)\. See", re.DOTALL)
LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
CONFLICT = re.compile(r"conflict|maximum retry count|could not serialize", re.IGNORECASE)
MEMORY_USED = re.compile(r"\([^/()]+/[^/()]+ used\)")
REFUSAL = re.compile(
    r"FATAL:(?!.*(starting up|shutting down|recovery|too many|connection slots|terminating))|no password supplied"
)
STATEMENT_ERRORS = (duckdb.BinderException, duckdb.CatalogException, duckdb.DependencyException, duckdb.ParserException)
EVALUATED = re.compile(r"could not convert|failed to cast", re.IGNORECASE)
QUOTING = (
    duckdb.ConstraintException,
    duckdb.ConversionException,
    duckdb.NotImplementedException,
    duckdb.OutOfRangeException,
    duckdb.TransactionException,
)
"""Errors that quote texts. Others, such as those of `error()`, repeat them as they are."""
WITHOUT_VALUES = re.compile(
    "Malformed JSON|More than one row returned by a subquery|columns are not supported in storage|unnamed struct"
)
QUOTED = re.compile(r"""['"].*['"]""")
"""From the first to the last quote, since a value can have quotes in it."""
NUMBER = re.compile(r"(?<![\w])-?\d[\d.,:+\-]*")
DENIAL = re.compile(r"(^|ERROR:\s+)(permission denied|must be owner|cannot execute .* in a read-only transaction)")
STATEMENT = re.compile(r'query ".{500,}": ', re.DOTALL)
LOST = re.compile(
    "server closed the connection|terminating connection|no connection to the server|"
    r'DuckLake: Current transaction is aborted|Failed to execute query ".*": \Z'
)
"""After the first statement of a lost session, PostgreSQL's library has no message."""
MISSING_LAKE = re.compile("creating a new DuckLake is explicitly disabled|in read-only mode: database does not exist")
OTHER_FILES = "does not match existing data path"


def lock_holder(error: duckdb.Error) -> str | None:
    """The process that has the database open; None if DuckDB could not open it for another reason."""
    text = str(error)
    if LOCKED not in text:
        return None
    holder = HOLDER.search(text)
    return holder[1] if holder else "another process"


def reason(error: duckdb.Error) -> str:
    """DuckDB's message on one line, without the statement that follows it, and without values of records."""
    text = " ".join(LINE.split(str(error))[0].split())
    if is_out_of_memory(error):  # DuckDB's own advice is for those who write its statements
        return f"{text.partition(' Possible')[0]}. Raise CRM_MEMORY_LIMIT, or give the machine more memory"
    if is_lost(error):
        return "PostgreSQL has ended a session of the lake's catalog. Check that it runs, and run this again"
    if is_about_statement(error) or isinstance(error, duckdb.IOException):
        return text
    if isinstance(error, QUOTING) or WITHOUT_VALUES.search(text):
        return NUMBER.sub("…", QUOTED.sub("'…'", text))
    if isinstance(error, duckdb.InternalException):  # some come from a race of threads
        return (
            "DuckDB failed with an internal error: run this again. Its message is not shown, since it may hold values"
        )
    return f"{text.partition(':')[0]}. DuckDB's message is not shown, since it may hold values"


def is_about_statement(error: duckdb.Error) -> bool:
    """Whether a statement is wrong: it names what does not exist, or is not valid SQL. Another attempt cannot help.

    Such a message names tables, columns and types, and holds no values, except where DuckDB evaluates a constant.
    """
    return isinstance(error, STATEMENT_ERRORS) and not EVALUATED.search(str(error))


def line(error: duckdb.Error) -> int | None:
    """The line of the statement that DuckDB points at; None if there is none."""
    found = LINE.search(str(error))
    return int(found[1]) if found else None


def is_conflict(error: BaseException) -> bool:
    """Whether a transaction failed because of a conflict with another, and can be retried."""
    return isinstance(error, duckdb.TransactionException) and CONFLICT.search(str(error)) is not None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether DuckDB's memory limit was too low. A commit that reaches it fails with a transaction's exception."""
    return isinstance(error, duckdb.OutOfMemoryException) or (
        isinstance(error, duckdb.TransactionException) and MEMORY_USED.search(str(error)) is not None
    )


def is_lost(error: BaseException) -> bool:
    """Whether PostgreSQL has ended a session of a lake's catalog, as when it restarts."""
    return isinstance(error, duckdb.Error) and LOST.search(str(error)) is not None


def is_refusal(error: Exception) -> bool:
    """Whether PostgreSQL will refuse the next connection as well: a wrong or missing password, no such database."""
    return REFUSAL.search(str(error)) is not None


def is_denial(error: Exception) -> bool:
    """Whether PostgreSQL let the role, or anybody, only read."""
    return DENIAL.search(str(error)) is not None


def without_statement(error: Exception) -> str:
    """A message without a long statement of DuckDB's own before its reason."""
    return STATEMENT.sub("a query: ", str(error))


def catalog_message(error: duckdb.Error) -> str:
    """What a lake's catalog said, if anything, without the statement before it, which may hold values of records."""
    return str(error).rpartition('": ')[2].partition("\n")[0].strip()
