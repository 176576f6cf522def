"""Writing a project to a folder, which must be new, or hold an earlier one as it was written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from crm_assets.errors import SettingsError

CHECKSUMS = "export.sha256"
"""Lists what was written, so that `sha256sum --check` shows what has changed since."""


def write_project(folder: Path, files: Mapping[str, str]) -> None:
    """Writes a project. Deletes files of a previous export that are no longer part of it; leaves everything else.

    Args:
        folder: Made, if it is not there.
        files: Path within it -> text.

    Raises:
        SettingsError: There is something else in it, or somebody has changed a file of it since.
    """
    for path in _written_before(folder):
        (folder / path).unlink(missing_ok=True)
    checksums = {path: _checksum(text.encode()) for path, text in files.items()}
    listed = "".join(f"{checksum}  {path}\n" for path, checksum in sorted(checksums.items()))
    for path, text in {**files, CHECKSUMS: listed}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())


def _written_before(folder: Path) -> list[str]:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    if not (folder / CHECKSUMS).is_file():
        raise SettingsError(f"{folder} is not empty and has no earlier export: use another folder")
    lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    written = {path: checksum for checksum, _, path in (line.partition("  ") for line in lines)}
    for path, checksum in written.items():
        file = folder / path
        if file.exists() and _checksum(file.read_bytes()) != checksum:
            raise SettingsError(f"{file} was edited since the export: use another folder, and compare the two")
    return list(written)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
