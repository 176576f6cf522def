"""A snapshot of two accounts and their owners, and what its table has."""

from typing import Any

import yaml

from crm_assets.runner.model import Model
from crm_assets_tests.runner.model_project import ModelProject

CHECK = {"unique_key": "id", "strategy": "check", "check_cols": ["owner"]}
TIMESTAMP = {"unique_key": "id", "strategy": "timestamp", "updated_at": "changed"}


def history(project: ModelProject, **config: Any) -> Model:
    """The snapshot `snapshots.history` of the accounts."""
    entry = {"name": "history", "relation": "source('raw', 'accounts')", "config": config}
    project.write("snapshots/history.yml", yaml.safe_dump({"snapshots": [entry]}))
    return project.models()["snapshots.history"]


def states(project: ModelProject) -> list[tuple[Any, ...]]:
    """Record, owner, and whether the row is valid still."""
    return project.execute(
        "select id, owner, dbt_valid_to is null from snapshots.history order by id, dbt_valid_from, dbt_valid_to"
    )


def overlaps(project: ModelProject) -> list[tuple[Any, ...]]:
    """Rows of a record that end before they begin, or after the next one begins."""
    return project.execute(
        "select * from (select *, lead(dbt_valid_from) over (partition by id order by dbt_valid_from) as next "
        "from snapshots.history) where dbt_valid_to < dbt_valid_from or coalesce(dbt_valid_to > next, false)"
    )
