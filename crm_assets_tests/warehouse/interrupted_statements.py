"""Interrupts a statement, as Ctrl-C or terminating a run does, and prints what is raised."""

import os
import signal
import sys
import threading
from pathlib import Path

from crm_assets.assets.failures import failures_explained
from crm_assets.warehouse.transactions import committed
from crm_assets.warehouse.warehouse import Warehouse

ENDLESS = "select count(*) from range(100_000_000) x, range(10_000_000) y where (x.range * y.range) % 7 = 3"


def interrupted(database: Path, *, in_transaction: bool) -> BaseException | None:
    """What comes out of a step whose statement is interrupted; None if it ends without an error."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    try:
        with failures_explained("marts.endless"), Warehouse(database=str(database)).get_connection() as connection:
            if in_transaction:
                committed(connection, lambda: connection.execute(f"create table endless as {ENDLESS}"))
            else:
                connection.execute(ENDLESS)
    except BaseException as error:  # noqa: BLE001 # it is what the test asks for
        return error
    return None


if __name__ == "__main__":
    sys.stdout.write(repr(interrupted(Path(sys.argv[1]), in_transaction=sys.argv[2] == "transaction")))
