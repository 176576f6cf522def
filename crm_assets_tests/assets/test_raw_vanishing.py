"""Full reads in which most of a list is missing at once: they count as incomplete until they are confirmed."""

from collections.abc import Collection, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from dagster import AssetCheckSeverity

from crm_assets.__main__ import main
from crm_assets.loading.changes import Comparison
from crm_assets_tests.assets.raw_runs import Run, materialize, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.models.raw_tables import FIRST, SECOND, THIRD, RawTables
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm

pytestmark = pytest.mark.slow

UPDATED = "2026-05-01T12:00:00Z"
FOURTH = "1700000300.25"


def deals(*ids: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": id_, "updated_at": UPDATED, "owner_id": 7, **fields} for id_ in ids]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a hundred won deals."""
    folder = tmp_path_factory.mktemp("loaded")
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm(lists={"won_deals": deals(*range(100))}):
        use_data_dir(monkeypatch, folder)
        assert materialize("won_deals").metadata("won_deals")["crm/complete"]
    return folder


@pytest.fixture
def crm(loaded: Path, data_dir: Path) -> Iterator[ScriptedCrm]:
    """A CRM with a hundred won deals, all loaded."""
    copytree(loaded, data_dir)
    with configured_crm(lists={"won_deals": deals(*range(100))}) as crm:
        if not (data_dir / "crm.duckdb").exists():  # a lake cannot be copied with its folder
            assert materialize("won_deals").success
        yield crm


def full_read(tables: RawTables, load_id: str, ids: Collection[int], share: float = 0.5) -> bool:
    """Loads a full read of open tasks; returns whether it counts as complete."""
    comparison = Comparison(tables.connection, "open_tasks", load_id)
    tables.connection.execute("delete from raw.open_tasks where id in (select unnest(?))", [list(ids)])
    tables.connection.execute(
        "insert into raw.open_tasks (id, _dlt_load_id) select unnest(?::bigint[]), ?", [list(ids), load_id]
    )
    _, is_doubted = comparison.missing(share)
    tables.log("open_tasks", load_id, complete=not is_doubted)
    return not is_doubted


def read(crm: ScriptedCrm, records: list[dict[str, Any]], mode: str = "full") -> Run:
    crm.lists["won_deals"] = records
    run = materialize("won_deals", mode=mode)
    assert run.success
    return run


def is_complete(run: Run) -> bool:
    return bool(run.metadata("won_deals")["crm/complete"])


def shown() -> list[int]:
    return [id_ for (id_,) in rows("select id from present.won_deals order by id")]


@pytest.mark.parametrize(
    ("before", "after", "share", "complete"),
    [
        (100, 0, 0.5, False),
        (100, 49, 0.5, False),
        (100, 50, 0.5, True),
        (100, 79, 0.2, False),
        (100, 5, 1, True),
        (100, 0, 1, False),
        (21, 0, 0.5, False),
        (20, 0, 0.5, True),
        (25, 5, 0.5, True),
    ],
)
def test_missing_rows_are_doubted_beyond_a_share(
    tables: RawTables, before: int, after: int, share: float, *, complete: bool
) -> None:
    assert full_read(tables, FIRST, range(before))
    assert full_read(tables, SECOND, range(after), share) is complete
    [[count]] = tables.connection.execute("select count(*) from present.open_tasks").fetchall()
    assert count == (after if complete else before)


def test_share_is_a_setting_of_the_list(crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__WON_DEALS__VANISHING_SHARE", "0.2")
    assert not is_complete(read(crm, deals(*range(79))))
    assert shown() == [*range(100)]


def test_received_records_are_loaded_and_the_reason_is_shown(crm: ScriptedCrm) -> None:
    run = read(crm, deals(1, 2, owner_id=8) + deals(200))

    assert shown() == [*range(100), 200]
    owners = rows("select owner_id, count(*) from present.won_deals group by all order by 1")
    assert owners == [(7, 99), (8, 2)]
    check = run.check("complete_read")
    assert (check.passed, check.severity) == (False, AssetCheckSeverity.ERROR)
    assert "98 of 100 rows would vanish at once" in (check.description or "")
    assert "crm-assets confirm won_deals" in (check.description or "")
    logged = (
        "select complete, incomplete_because from raw.sync_log join raw.sync_details using (_dlt_load_id) order by 1"
    )
    assert [complete for complete, _ in rows(logged)] == [False, True]


@pytest.mark.long
def test_list_that_is_normal_again_changes_nothing(crm: ScriptedCrm) -> None:
    read(crm, [])
    run = read(crm, deals(*range(100)))

    assert is_complete(run)
    counted = rows("select distinct * exclude (_dlt_load_id) from raw.sync_changes offset 1")
    counts = [run.metadata("won_deals")[f"crm/rows_{what}"] for what in ("new", "changed", "vanished", "returned")]
    assert counts == [0, 0, 0, 0]
    assert len(counted) == 1
    assert not is_complete(read(crm, []))  # another episode


@pytest.mark.parametrize("found", [[], [*range(10)], [*range(3, 14), 200]], ids=len)
def test_second_read_that_finds_the_same_confirms(tables: RawTables, found: list[int]) -> None:
    full_read(tables, FIRST, range(100))
    assert not full_read(tables, SECOND, range(10) if found else [])
    assert full_read(tables, THIRD, found)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_rows_that_two_reads_lack_are_no_longer_shown(crm: ScriptedCrm, mode: str) -> None:
    assert not is_complete(read(crm, deals(*range(10))))
    run = read(crm, deals(*range(3, 14), 200), mode)

    assert is_complete(run)
    assert shown() == [*range(3, 14), 200]
    assert run.metadata("won_deals")["crm/rows_vanished"] == 89


@pytest.mark.parametrize(
    ("first", "second"),
    [([], [*range(40)]), ([*range(45)], []), ([*range(45)], [*range(50, 95)])],
    ids=["more", "fewer", "others"],
)
def test_second_read_that_finds_something_else_does_not_confirm(
    tables: RawTables, first: list[int], second: list[int]
) -> None:
    full_read(tables, FIRST, range(100))
    assert not full_read(tables, SECOND, first)
    assert not full_read(tables, THIRD, second)
    assert full_read(tables, FOURTH, second)


@pytest.mark.long
def test_command_confirms_what_the_last_full_read_found(crm: ScriptedCrm, capsys: pytest.CaptureFixture[str]) -> None:
    latest = "select version from raw.sync_changes order by _dlt_load_id desc limit 1"
    read(crm, deals(1, 2))
    before = rows(latest)

    assert main(["confirm", "won_deals", "--dry-run"]) == 0
    assert "98 of 100 rows vanish" in capsys.readouterr().out
    assert len(shown()) == 100
    assert main(["confirm", "won_deals"]) == 0
    assert "98 of 100 rows vanish" in capsys.readouterr().out
    assert shown() == [1, 2]
    assert main(["confirm", "won_deals"]) == 1
    assert "nothing to confirm" in capsys.readouterr().err

    confirmed = rows(latest)
    assert confirmed != before
    assert is_complete(read(crm, deals(1, 2)))
    assert rows(latest) == confirmed
    run = materialize("won_deals", mode="incremental")
    assert run.metadata("won_deals")["crm/mode"] == "incremental"


@pytest.mark.file
def test_nothing_is_confirmed_without_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["confirm", "won_deals"]) == 1
    assert "does not exist yet" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.file
def test_histories_of_one_episode_have_no_more_rows(crm: ScriptedCrm) -> None:
    history = "select deal_id, dbt_valid_from, dbt_valid_to from snapshots.won_deals_history order by all"

    def recorded() -> list[Any]:
        assert main(["build", "staging.stg_won_deals", "snapshots.won_deals_history"]) == 0
        return rows(history)

    before = recorded()
    assert len(before) == 100
    read(crm, [])
    assert recorded() == before
    read(crm, deals(*range(100)))
    assert recorded() == before
