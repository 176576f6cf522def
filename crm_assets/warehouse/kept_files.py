"""Files of a lake in a folder that must outlast a commit whose answer was lost.

If the catalog's answer to a commit is lost, DuckLake (of DuckDB 1.5.5) takes the commit for failed, and deletes the
files that it has just committed: the table cannot be read any more. In a bucket its requests can be prevented
(`object_storage.nothing_deleted`). In a folder the files get a second name first. If a commit did fail, they stay until
the lake's maintenance finds them.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

PREFIX = ".crm_assets_commit_"


@contextmanager
def files_kept(folder: Path) -> Iterator[Callable[[], None]]:
    """Yields a function to call right before a commit: if the body fails after it, files deleted since then come back.

    Only files that were written while the body runs are kept.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=PREFIX, dir=folder) as aside:
        begun = Path(aside).stat().st_mtime_ns
        kept: dict[Path, Path] = {}

        def keep() -> None:
            for file in folder.rglob("*.parquet"):
                # Writers of other tables delete files meanwhile.
                with suppress(FileNotFoundError):
                    if file.stat().st_mtime_ns >= begun and not file.parent.name.startswith(PREFIX):
                        kept[_second(file, Path(aside))] = file

        try:
            yield keep
        except BaseException:
            for second, file in kept.items():
                if not file.exists():
                    second.rename(file)
            raise


def _second(file: Path, folder: Path) -> Path:
    """A second name of a file, or a copy where the file system has no hard links."""
    second = folder / file.name
    try:
        os.link(file, second)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, second)
    return second
