"""What a user of dbt has works when pasted: a model with macros and tests of its own, a seed, a snapshot."""

import os
import shutil
import sys
from pathlib import Path

import duckdb
import pytest

from crm_assets.errors import ModelsRefused
from crm_assets.runner.loading import load_models
from crm_assets.runner.project import DBT_DIR
from crm_assets_tests.processes import completed

MATERIALIZE = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "crm_assets.definitions", "--select"]
MART = """
{{ config(materialized='incremental', unique_key=['country', 'day'], tags=['daily']) }}
select
    accounts.country,
    regions.region,
    {{ today() }} as day,
    count(*) as accounts
from {{ ref('stg_accounts') }} as accounts
left join {{ ref('regions') }} as regions on accounts.country = regions.country
where accounts.country is not null
{% if is_incremental() %}
    and {{ today() }} >= (select max(this.day) from {{ this }} as this)
{% endif %}
group by all
"""
PROPERTIES = """
models:
  - name: accounts_by_region
    columns:
      - name: accounts
        data_tests:
          - above: {arguments: {limit: 0}}
          - above: {arguments: {limit: 1000}, config: {warn_if: '> 0', error_if: '> 1000'}}
"""
TODAY = """
{% macro today() %}
    {%- set zone = var('reporting_timezone') -%}
    {{ return("cast(now() at time zone '" ~ zone ~ "' as date)") }}
{% endmacro %}
"""
ABOVE = """
{% test above(model, column_name, limit) %}
select * from {{ model }} where {{ column_name }} <= {{ limit }}
{% endtest %}
"""
SEED = "country,region\nGermany,Europe\nIndia,Asia\n"
SNAPSHOT = """
snapshots:
  - name: regions_history
    relation: ref('regions')
    config: {unique_key: country, strategy: check, check_cols: [region]}
"""


@pytest.fixture
def dbt(tmp_path: Path) -> Path:
    """The dbt project of a copy of the package."""
    return Path(shutil.copytree(DBT_DIR.parent, tmp_path / "copy" / "crm_assets") / "dbt")


def add(dbt: Path) -> None:
    for file, text in {
        "models/marts/regions/accounts_by_region.sql": MART,
        "models/marts/regions/regions.yml": PROPERTIES,
        "macros/today.sql": TODAY,
        "tests/generic/above.sql": ABOVE,
        "seeds/regions.csv": SEED,
        "snapshots/regions_history.yml": SNAPSHOT,
    }.items():
        (dbt / file).parent.mkdir(exist_ok=True)
        (dbt / file).write_text(text)


@pytest.mark.long
def test_a_dbt_users_files_are_assets_that_can_be_materialized(dbt: Path, data_dir: Path) -> None:
    add(dbt)
    selection = 'key:"raw/accounts" or key:"staging/stg_accounts" or key:"seeds/regions"'
    more = 'key:"snapshots/regions_history" or key:"marts/accounts_by_region"'
    for _ in range(2):
        done = completed(
            [*MATERIALIZE, f"{selection} or {more}"],
            cwd=dbt.parents[1],
            env={**os.environ, "PYTHONPATH": str(dbt.parents[1]), "DAGSTER_HOME": ""},
        )
        assert done.returncode == 0, done.stderr[-3000:]

    with duckdb.connect(str(data_dir / "sandbox.duckdb"), read_only=True) as connection:
        [[accounts]] = connection.execute("select sum(accounts) from marts.accounts_by_region").fetchall()
        [[regions]] = connection.execute("select count(*) from snapshots.regions_history").fetchall()
    assert (accounts > 0, regions) == (True, 2)


WRONG_FILES = {
    "mart": ("models/marts/mine.sql", "select 1\nfrom raw.acounts", r"mine\.sql:2: .*correct the name"),
    "ref": ("models/marts/mine.sql", "select 1\nfrom {{ ref('x') }}", r"mine\.sql:2: .*no model x"),
    "snapshot": ("snapshots/mine.yml", "version: 2\n\nsnapshots:\n  - name: mine", r"mine\.yml:4: .*relation"),
    "strategy": (
        "snapshots/mine.yml",
        "snapshots:\n- name: mine\n  relation: ref('stg_users')\n  config: {unique_key: id,\n    strategy: chek}",
        r"mine\.yml:5: .*use one of check, timestamp",
    ),
    "seed": ("seeds/mine.yml", "seeds:\n- name: mine", r"mine\.yml:2: .*mine has no mine\.csv: add the file"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("file", "text", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_file_is_refused_with_line_and_remedy(dbt: Path, file: str, text: str, message: str) -> None:
    (dbt / file).write_text(text)

    with pytest.raises(ModelsRefused, match=message):
        load_models(dbt)
