"""DuckDB checks the signatures of its extensions, wherever they come from."""

from pathlib import Path

import duckdb
import pytest

from crm_assets.errors import WarehouseUnreachable
from crm_assets.warehouse.lake import address as extensions
from crm_assets.warehouse.lake.address import LakeAddress, connected_with
from crm_assets.warehouse.lake.backend import Lake

pytestmark = pytest.mark.slow


def test_an_extension_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [packaged] = extensions._packaged("httpfs")
    changed = tmp_path / packaged.name
    content = bytearray(packaged.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    monkeypatch.setattr(extensions, "_packaged", lambda _: [changed])
    with pytest.raises(duckdb.IOException, match="signature"):
        connected_with(["httpfs"], {})


def test_extensions_of_packages_are_signed_by_duckdb() -> None:
    with connected_with(["ducklake", "postgres_scanner", "httpfs", "aws"], {}) as connection:
        assert connection.execute("select current_setting('allow_unsigned_extensions')").fetchall() == [(False,)]
        loaded = "select count(*) from duckdb_extensions() where loaded and extension_name in ('ducklake', 'httpfs')"
        assert connection.execute(loaded).fetchall() == [(2,)]


def test_an_extension_that_cannot_be_downloaded_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "_packaged", lambda _: [])
    config = {"extension_directory": str(tmp_path / "none"), "custom_extension_repository": "http://127.0.0.1:9/"}
    lake = Lake(LakeAddress(str(tmp_path / "catalog"), str(tmp_path / "files"), ""), tmp_path, 1, config, print)
    with (
        pytest.raises(WarehouseUnreachable, match="extension 'ducklake'.* Check CRM_WAREHOUSE"),
        lake.connected(read_only=False),
    ):
        pass
