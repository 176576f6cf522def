"""Takes a lock, and is interrupted at each line in turn. Each time the lock has to be free at once."""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import filelock

from crm_assets.warehouse import sharing
from crm_assets.warehouse.sharing import writer_lock

OURS = {str(Path(sharing.__file__)), *map(str, Path(filelock.__file__).parent.glob("*.py"))}
"""Files in which there are interrupts."""


def interrupted(database: Path) -> int:
    """Returns how many lines there were.

    Raises:
        WarehouseBusy: An interrupt left the lock taken.
    """
    for number in count(1):
        lines = count(1)

        def interrupt(frame: FrameType, event: str, _: object, lines: Iterator[int] = lines, at: int = number) -> Any:
            if frame.f_code.co_filename not in OURS or frame.f_code.co_name == "__del__":
                return None
            if event == "line" and next(lines) == at:
                raise KeyboardInterrupt
            return interrupt

        sys.settrace(interrupt)
        try:
            with writer_lock(database, 5, print):
                pass
        except KeyboardInterrupt:
            continue
        finally:
            sys.settrace(None)
            with writer_lock(database, 0, print):
                pass
        return number
    raise AssertionError


if __name__ == "__main__":
    sys.stdout.write(str(interrupted(Path(sys.argv[1]))))
