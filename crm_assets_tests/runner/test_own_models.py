"""A user adds a mart, a seed and a snapshot, one file each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from crm_assets.errors import ModelsRefused
from crm_assets.runner.files import MODELS_DIR
from crm_assets.runner.loading import load_models

MATERIALIZE = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "crm_assets.definitions", "--select"]
MART = """
select
    accounts.country,
    regions.region,
    count(*) as accounts
from staging.stg_accounts as accounts
left join seeds.regions as regions on accounts.country = regions.country
group by all
"""
SEED = "country,region\nGermany,Europe\nIndia,Asia\n"
SNAPSHOT = """
snapshots:
  - name: regions_history
    relation: seeds.regions
    config: {unique_key: country, strategy: check, check_cols: [region]}
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The models of a copy of the project."""
    return Path(shutil.copytree(MODELS_DIR.parent, tmp_path / "copy" / "crm_assets") / "models")


def add(models: Path) -> None:
    (models / "marts" / "accounts_by_region.sql").write_text(MART)
    (models / "seeds" / "regions.csv").write_text(SEED)
    (models / "snapshots" / "regions_history.yml").write_text(SNAPSHOT)


@pytest.mark.slow
def test_three_files_are_three_assets_that_can_be_materialized(models: Path, data_dir: Path) -> None:
    add(models)
    selection = 'key:"raw/accounts" or key:"staging/stg_accounts" or key:"seeds/regions"'
    more = 'key:"snapshots/regions_history" or key:"marts/accounts_by_region"'
    done = subprocess.run(
        [*MATERIALIZE, f"{selection} or {more}"],
        cwd=models.parents[1],
        env={**os.environ, "PYTHONPATH": str(models.parents[1]), "DAGSTER_HOME": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    with duckdb.connect(str(data_dir / "sandbox.duckdb"), read_only=True) as connection:
        [[accounts]] = connection.execute("select sum(accounts) from marts.accounts_by_region").fetchall()
        [[regions]] = connection.execute("select count(*) from snapshots.regions_history").fetchall()
    assert (accounts > 0, regions) == (True, 2)


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        pytest.param("marts/mine.sql", "select 1\nfrom raw.acounts", r"mine\.sql:2: .*correct the name", id="mart"),
        pytest.param("marts/mine.sql", "select 1\nfrom {{ ref('x') }}", r"mine\.sql:2: .*write the model", id="ref"),
        pytest.param(
            "snapshots/mine.yml", "version: 2\n\nsnapshots:\n  - name: mine", r"mine\.yml:4: .*add", id="snapshot"
        ),
        pytest.param(
            "snapshots/mine.yml",
            "snapshots:\n- name: mine\n  relation: raw.accounts\n  config: {unique_key: id,\n    strategy: chek}",
            r"mine\.yml:5: .*use one of timestamp, check",
            id="strategy",
        ),
        pytest.param(
            "seeds/mine.yml",
            "seeds:\n- name: mine\n  config:\n    delimiter: ';'",
            r"mine\.yml:2: .*mine\.csv next to it: add the file",
            id="seed",
        ),
        pytest.param(
            "models/mine.sql", "select 1", r"mine\.sql: models and their YAML belong directly in .*move it", id="folder"
        ),
    ],
)
def test_a_file_is_refused_with_line_and_remedy(models: Path, file: str, text: str, told: str) -> None:
    path = models / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)

    with pytest.raises(ModelsRefused, match=told):
        load_models(models)
