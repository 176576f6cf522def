"""The code location: its contents, and that loading it costs nothing and never fails."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import AssetKey, AssetSpec, DagsterInvalidConfigError, Definitions

from crm_assets.definitions import defs
from crm_assets_tests.processes import completed

SNAPSHOT = Path(__file__).with_name("definitions.txt")

LOAD = """
import os, sys, time

WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink", "shutil.")
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto")
violations = []

def watch(event, arguments):
    if event.startswith(WRITES + NETWORK):
        violations.append((event, str(arguments)))
    elif event == "open":
        path, mode, flags = arguments
        by_flags = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        writing = by_flags or set(mode or "") & set("wax+")
        if writing and path != os.devnull and not isinstance(path, int):
            violations.append((event, str(path)))

sys.addaudithook(watch)
started = time.monotonic()
from crm_assets.definitions import defs
assets = len(defs.resolve_asset_graph().get_all_asset_keys())
print(f"{time.monotonic() - started:.2f} s", file=sys.stderr)
print(assets, violations)
for schedule in defs.schedules:
    print(schedule.execution_timezone, schedule.description)
"""

WRONG = {
    "SOURCES__CRM__BASE_URL": "not a URL",
    "SOURCES__CRM__PER_PAGE": "none",
    "SOURCES__CRM__ASSET_RETRY_DELAY": "soon",
    "SOURCES__CRM__UNKNOWN": "1",
    "CRM_DATA_DIR": "/proc/nowhere",
    "CRM_EXECUTOR": "threads",
    "CRM_LAEK": "ducklake:crm",
    "CRM_SCHEDULE_TIMEZONE": "Europe",
}
UNREADABLE = {".env": b"this is no setting\n", ".dlt/config.toml": b"[sources.crm\n", ".dlt/secrets.toml": b"\xff\xfe"}


@dataclass(frozen=True)
class Loaded:
    """A process that has loaded the code location, and its working folder."""

    process: "subprocess.CompletedProcess[str]"
    folder: Path


@pytest.fixture(scope="module", params=[False, True], ids=["nothing-configured", "everything-wrong"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Without settings, or with wrong ones and with files that cannot be read."""
    folder = tmp_path_factory.mktemp("loaded")
    for name, content in UNREADABLE.items() if request.param else ():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    folder.chmod(0o500)
    process = completed(
        [sys.executable, "-B", "-c", LOAD],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": "/proc/nowhere", "PYTHONPATH": str(Path(__file__).parents[1])}
        | (WRONG if request.param else {}),
        timeout=60,
    )
    sys.stdout.write(process.stderr)
    return Loaded(process, folder)


@pytest.mark.slow
def test_loading_needs_no_setting_no_network_and_writes_nothing(loaded: Loaded) -> None:
    count, violations = loaded.process.stdout.splitlines()[0].split(" ", 1)
    assert violations == "[]"
    assert int(count) >= 10
    files = {str(path.relative_to(loaded.folder)) for path in loaded.folder.rglob("*") if path.is_file()}
    assert files in (set(), UNREADABLE.keys())


@pytest.mark.slow
@pytest.mark.parametrize("loaded", [True], indirect=True, scope="module", ids=["everything-wrong"])
def test_wrong_settings_are_logged_and_shown_with_schedules(loaded: Loaded) -> None:
    for words in ("'Europe', which is not allowed", "'threads', which is not allowed", "Unknown setting CRM_LAEK"):
        assert words in loaded.process.stderr
    _, *schedules = loaded.process.stdout.splitlines()
    assert schedules
    for line in schedules:
        assert line.startswith("UTC ")
        assert "CRM_SCHEDULE_TIMEZONE" in line


def picture(definitions: Definitions) -> str:
    """The code location as a text for people: assets with what they need, jobs, schedules."""
    graph = definitions.resolve_asset_graph()
    lines: list[str] = []
    groups: dict[str, list[AssetSpec]] = {}
    for spec in definitions.resolve_all_asset_specs():
        groups.setdefault(spec.group_name or "default", []).append(spec)
    for group in ("raw", "staging", "marts", *sorted(groups.keys() - {"raw", "staging", "marts"})):
        lines += ["", f"group {group}"]
        for spec in sorted(groups.get(group, []), key=lambda spec: spec.key):
            needs = ", ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps))
            lines.append(f"  {spec.key.to_user_string()}{f' <- {needs}' if needs else ''}")
    lines += ["", "jobs"]
    for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            executed = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
            everything = len(executed) == len(graph.get_all_asset_keys())
            lines.append(f"  {job.name}: {'all assets' if everything else ', '.join(sorted(executed)) or 'no assets'}")
    lines += ["", "schedules"]
    for schedule in sorted(definitions.schedules or [], key=lambda schedule: schedule.name):
        what = f"{schedule.cron_schedule} {schedule.execution_timezone}, {schedule.job_name}"  # type: ignore[union-attr]
        lines.append(f"  {schedule.name}: {what}, {schedule.default_status.value}")
    lines += ["", "sensors"]
    lines += [
        f"  {sensor.name}: {sensor.default_status.value}"
        for sensor in sorted(definitions.sensors or [], key=lambda sensor: sensor.name)
    ]
    return "\n".join(lines).lstrip() + "\n"


def test_the_code_location_is_the_one_that_was_reviewed() -> None:
    """After a wanted change: `python -m crm_assets_tests.test_definitions`, and review the difference."""
    assert picture(defs) == SNAPSHOT.read_text(encoding="utf-8")


def test_every_asset_has_a_description_and_an_owner() -> None:
    for spec in defs.resolve_all_asset_specs():
        assert len(spec.description or "") > 40, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        if spec.group_name not in {"reports", "published"}:
            assert spec.metadata["dagster/table_name"] == ".".join(spec.key.path)


@pytest.mark.slow
def test_the_launchpad_offers_the_ways_of_reading_and_no_other() -> None:
    job = defs.resolve_implicit_global_asset_job_def()
    half = {"ops": {"raw__open_tasks": {"config": {"mode": "half"}}}}
    with pytest.raises(DagsterInvalidConfigError, match="config:mode not in enum type ReadMode"):
        job.execute_in_process(asset_selection=[AssetKey(["raw", "open_tasks"])], run_config=half)


def test_jobs_schedules_and_sensors_have_descriptions() -> None:
    jobs = [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    automations = [*(defs.schedules or []), *(defs.sensors or [])]
    assert [each.name for each in (*jobs, *automations) if not each.description] == []


if __name__ == "__main__":
    SNAPSHOT.write_text(picture(defs), encoding="utf-8")
