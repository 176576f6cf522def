"""Full reads in which most of a list is missing at once: they count as incomplete until they are confirmed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetCheckSeverity

from crm_assets.__main__ import main
from crm_assets_tests.assets.raw_runs import Run, configured_crm, materialize, rows
from crm_assets_tests.scripted_crm import ScriptedCrm

UPDATED = "2026-05-01T12:00:00Z"


def deals(*ids: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": id_, "updated_at": UPDATED, "owner_id": 7, **fields} for id_ in ids]


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with a hundred won deals, all loaded."""
    with configured_crm(lists={"won_deals": deals(*range(100))}) as crm:
        assert materialize("won_deals").metadata("won_deals")["crm/complete"]
        yield crm


def read(crm: ScriptedCrm, records: list[dict[str, Any]], mode: str = "full") -> Run:
    crm.lists["won_deals"] = records
    run = materialize("won_deals", mode=mode)
    assert run.success
    return run


def is_complete(run: Run) -> bool:
    return bool(run.metadata("won_deals")["crm/complete"])


def shown(data_dir: Path) -> list[int]:
    return [id_ for (id_,) in rows(data_dir / "crm.duckdb", "select id from present.won_deals order by id")]


@pytest.mark.parametrize(
    ("before", "after", "share", "complete"),
    [
        (100, 0, "0.5", False),
        (100, 49, "0.5", False),
        (100, 50, "0.5", True),
        (100, 79, "0.2", False),
        (100, 5, "1", True),
        (100, 0, "1", False),
        (21, 0, "0.5", False),
        (20, 0, "0.5", True),
        (25, 5, "0.5", True),
    ],
)
def test_missing_rows_are_doubted_beyond_a_share(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int, share: str, *, complete: bool
) -> None:
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__OPEN_TASKS__VANISHING_SHARE", share)
    with configured_crm(lists={"open_tasks": deals(*range(before))}) as crm:
        materialize("open_tasks")
        crm.lists["open_tasks"] = deals(*range(after))
        run = materialize("open_tasks")
    assert run.metadata("open_tasks")["crm/complete"] is complete
    [[left]] = rows(data_dir / "crm.duckdb", "select count(*) from present.open_tasks")
    assert left == (after if complete else before)


def test_received_records_are_loaded_and_the_reason_is_shown(crm: ScriptedCrm, data_dir: Path) -> None:
    run = read(crm, deals(1, 2, owner_id=8) + deals(200))

    assert shown(data_dir) == [*range(100), 200]
    owners = rows(data_dir / "crm.duckdb", "select owner_id, count(*) from present.won_deals group by all order by 1")
    assert owners == [(7, 99), (8, 2)]
    [check] = [c for c in run.result.get_asset_check_evaluations() if c.check_name == "complete_read"]
    assert (check.passed, check.severity) == (False, AssetCheckSeverity.ERROR)
    assert "98 of 100 rows would vanish at once" in (check.description or "")
    assert "crm-assets confirm won_deals" in (check.description or "")
    logged = (
        "select complete, incomplete_because from raw.sync_log join raw.sync_details using (_dlt_load_id) order by 1"
    )
    assert [complete for complete, _ in rows(data_dir / "crm.duckdb", logged)] == [False, True]


def test_list_that_is_normal_again_changes_nothing(crm: ScriptedCrm, data_dir: Path) -> None:
    read(crm, [])
    run = read(crm, deals(*range(100)))

    assert is_complete(run)
    counted = rows(data_dir / "crm.duckdb", "select distinct * exclude (_dlt_load_id) from raw.sync_changes offset 1")
    counts = [run.metadata("won_deals")[f"crm/rows_{what}"] for what in ("new", "changed", "vanished", "returned")]
    assert counts == [0, 0, 0, 0]
    assert len(counted) == 1
    assert not is_complete(read(crm, []))  # another episode


@pytest.mark.parametrize("found", [[], [*range(10)], [*range(3, 14), 200]], ids=len)
@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_second_read_that_finds_the_same_confirms(
    crm: ScriptedCrm, data_dir: Path, found: list[int], mode: str
) -> None:
    assert not is_complete(read(crm, deals(*range(10)) if found else []))
    run = read(crm, deals(*found), mode)

    assert is_complete(run)
    assert shown(data_dir) == found
    assert run.metadata("won_deals")["crm/rows_vanished"] == 100 - len([id_ for id_ in found if id_ < 100])


@pytest.mark.parametrize(
    ("first", "second"),
    [([], [*range(40)]), ([*range(45)], []), ([*range(45)], [*range(50, 95)])],
    ids=["more", "fewer", "others"],
)
def test_second_read_that_finds_something_else_does_not_confirm(
    crm: ScriptedCrm, data_dir: Path, first: list[int], second: list[int]
) -> None:
    assert not is_complete(read(crm, deals(*first)))
    assert not is_complete(read(crm, deals(*second)))
    assert shown(data_dir) == [*range(100)]
    assert is_complete(read(crm, deals(*second)))
    assert shown(data_dir) == second


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["crm-assets", *arguments])
    return main()


def test_command_confirms_what_the_last_full_read_found(
    crm: ScriptedCrm, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read(crm, deals(1, 2))

    assert command(monkeypatch, "confirm", "won_deals", "--dry-run") == 0
    assert "98 of 100 rows vanish" in capsys.readouterr().out
    assert len(shown(data_dir)) == 100
    assert command(monkeypatch, "confirm", "won_deals") == 0
    assert "98 of 100 rows vanish" in capsys.readouterr().out
    assert shown(data_dir) == [1, 2]
    assert command(monkeypatch, "confirm", "won_deals") == 1
    assert "nothing to confirm" in capsys.readouterr().err

    versions = "select distinct version from raw.sync_changes"
    before = rows(data_dir / "crm.duckdb", versions)
    assert is_complete(read(crm, deals(1, 2)))
    assert rows(data_dir / "crm.duckdb", versions) == before
    run = materialize("won_deals", mode="incremental")
    assert run.metadata("won_deals")["crm/mode"] == "incremental"


def test_confirmed_rows_give_the_table_a_new_version(
    crm: ScriptedCrm, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = "select version from raw.sync_changes order by _dlt_load_id desc limit 1"
    read(crm, deals(1, 2))
    before = rows(data_dir / "crm.duckdb", latest)
    command(monkeypatch, "confirm", "won_deals")
    read(crm, deals(1, 2))
    assert rows(data_dir / "crm.duckdb", latest) != before


def test_nothing_is_confirmed_without_a_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "confirm", "won_deals") == 1
    assert "does not exist yet" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.file
def test_histories_of_one_episode_have_no_more_rows(crm: ScriptedCrm, data_dir: Path) -> None:
    history = "select deal_id, dbt_valid_from, dbt_valid_to from snapshots.won_deals_history order by all"

    def recorded() -> list[Any]:
        models = ["staging.stg_won_deals", "snapshots.won_deals_history"]
        subprocess.run([sys.executable, "-m", "crm_assets", "build", *models], check=True)
        return rows(data_dir / "crm.duckdb", history)

    before = recorded()
    assert len(before) == 100
    read(crm, [])
    assert recorded() == before
    read(crm, deals(*range(100)))
    assert recorded() == before
