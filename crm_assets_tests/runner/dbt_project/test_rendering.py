"""How the models' files are written in a dbt project."""

import re

import pytest
import yaml

from crm_assets.errors import ModelsRefused
from crm_assets.runner.dbt_project.rendering import Files, project_files
from crm_assets.runner.loading import load_models
from crm_assets_tests.runner.model_project import ModelProject


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> ModelProject:
    return ModelProject(tmp_path_factory.mktemp("models"))


def exported(project: ModelProject) -> Files:
    return project_files(list(project.models().values()), "/data/crm.duckdb", "Asia/Kolkata")


def test_addresses_become_refs_and_sources_and_the_rest_stays_as_written(project: ModelProject) -> None:
    project.write("staging/stg_a.sql", "select id from present.accounts")
    project.write(
        "marts/b.sql",
        """
        -- from staging.stg_a, and no other
        select
            stg_a.id,   'staging.stg_a' as told
        from "staging"."stg_a"  -- here
        join raw.sync_log as log on true;
        """,
    )
    files = exported(project)

    assert files["models/marts/b.sql"] == (
        "-- from staging.stg_a, and no other\n"
        "select\n"
        "    stg_a.id,   'staging.stg_a' as told\n"
        "from {{ ref('stg_a') }}  -- here\n"
        "join {{ source('raw', 'sync_log') }} as log on true\n"
    )
    assert files["models/staging/stg_a.sql"] == "select id from {{ ref('present_accounts') }}\n"


def test_the_reporting_time_zone_is_a_variable(project: ModelProject) -> None:
    project.write("marts/b.sql", "select cast(now() at time zone getvariable('reporting_timezone') as date) as day")
    files = exported(project)

    assert "at time zone '{{ var(\"reporting_timezone\") }}' as date" in files["models/marts/b.sql"]
    assert yaml.safe_load(files["dbt_project.yml"])["vars"] == {"reporting_timezone": "Asia/Kolkata"}


def test_a_snapshot_has_its_select_in_a_block_and_its_strategy_in_yaml(project: ModelProject) -> None:
    project.write("snapshots/h.sql", "select 1 as id, 2 as n")
    project.write(
        "snapshots/h.yml",
        """
        snapshots:
          - {name: h, config: {unique_key: id, strategy: check, check_cols: [n], hard_deletes: new_record}}
        """,
    )
    files = exported(project)

    assert files["snapshots/h.sql"] == "{% snapshot h %}\n\nselect 1 as id, 2 as n\n\n{% endsnapshot %}\n"
    [entry] = yaml.safe_load(files["snapshots/snapshots.yml"])["snapshots"]
    assert entry["config"] == {
        "unique_key": "id",
        "strategy": "check",
        "check_cols": ["n"],
        "hard_deletes": "new_record",
    }


def test_tests_keep_kind_name_arguments_and_severity(project: ModelProject) -> None:
    project.mart(
        "select 1 as day",
        """
        columns:
          - name: day
            description: The day.
            data_tests:
              - unique
              - relationships: {arguments: {to: raw.sync_log, field: x}, config: {severity: warn}}
              - dbt_utils.expression_is_true: {name: positive, arguments: {expression: '> 0'}}
        """,
    )
    [entry] = yaml.safe_load(exported(project)["models/marts/marts.yml"])["models"]

    assert entry["columns"][0]["data_tests"] == [
        "unique",
        {
            "relationships": {
                "arguments": {"to": "source('raw', 'sync_log')", "field": "x"},
                "config": {"severity": "warn"},
            }
        },
        {"expression_is_true": {"name": "positive", "arguments": {"expression": "> 0"}}},
    ]


def test_a_seed_has_a_type_for_each_column(project: ModelProject) -> None:
    project.write("seeds/s.csv", "a,b\n1,2026-01-01\n")
    project.write("seeds/s.yml", "seeds: [{name: s, config: {column_types: {a: 'decimal(9, 2)'}}}]")
    files = exported(project)

    [entry] = yaml.safe_load(files["seeds/seeds.yml"])["seeds"]
    assert entry["config"]["column_types"] == {"a": "decimal(9,2)", "b": "date"}
    assert files["seeds/s.csv"] == "a,b\n1,2026-01-01\n"


def test_two_models_of_one_name_are_refused(project: ModelProject) -> None:
    project.write("staging/a.sql", "select 1 as x")
    project.write("marts/a.sql", "select 1 as x")

    with pytest.raises(ModelsRefused, match=r"staging/a\.sql and .*marts/a\.sql: dbt needs a unique name for each"):
        exported(project)


def test_nothing_of_the_projects_own_models_is_left_out() -> None:
    models = load_models()
    files = project_files(models, "/data/crm.duckdb", "UTC")

    assert {model.path.name for model in models} <= {re.sub(r".*/", "", path) for path in files}
    read = "\n".join(text for path, text in files.items() if path.endswith(".sql"))
    assert not re.search(r"\b(from|join) (raw|present|staging|seeds|snapshots|marts)\.", read)
