"""Files in a folder that are deleted after the last moment before a commit come back if it fails."""

import os
from pathlib import Path

import pytest

from crm_assets.warehouse.kept_files import files_kept

WITHOUT_LINKS = PermissionError("this file system has no hard links")


def write_and_delete(folder: Path, *, fails: bool) -> None:
    """Writes a file, and deletes it and an older one at the commit."""
    with files_kept(folder) as keep:
        (folder / "new.parquet").write_text("new", "utf-8")
        keep()
        for file in folder.glob("*.parquet"):
            file.unlink()
        if fails:
            raise ConnectionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file from an earlier commit."""
    (tmp_path / "old.parquet").write_text("old", "utf-8")
    os.utime(tmp_path / "old.parquet", (0, 0))
    return tmp_path


@pytest.mark.parametrize("has_links", [True, False], ids=["with-hard-links", "without"])
def test_files_of_a_failed_commit_come_back(has_links: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Path) -> None:
        raise WITHOUT_LINKS

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ConnectionError):
        write_and_delete(folder, fails=True)
    assert [file.name for file in folder.iterdir()] == ["new.parquet"]
    assert (folder / "new.parquet").read_text("utf-8") == "new"


def test_files_of_a_successful_commit_stay_deleted(folder: Path) -> None:
    write_and_delete(folder, fails=False)
    assert list(folder.iterdir()) == []
