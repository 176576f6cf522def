"""What the marts should hold: all of their columns, counted in plain Python from the sandbox's records."""

from collections.abc import Callable, Iterable

from crm_assets_tests.models.reckoning import Record
from crm_assets_tests.models.recomputed.accounts import account_overview, customer_retention_quarterly, customer_value
from crm_assets_tests.models.recomputed.activity import contact_engagement, meeting_activity_weekly, task_backlog
from crm_assets_tests.models.recomputed.crm import Crm
from crm_assets_tests.models.recomputed.deals import won_deal_overview, won_revenue_monthly
from crm_assets_tests.models.recomputed.history import account_ownership, task_durations, won_deal_changes
from crm_assets_tests.models.recomputed.owners import owner_month, owner_performance
from crm_assets_tests.models.recomputed.quality import data_quality, health

OF_NOW: tuple[Callable[[Crm], Iterable[Record]], ...] = (
    account_overview,
    contact_engagement,
    customer_retention_quarterly,
    customer_value,
    data_quality,
    meeting_activity_weekly,
    owner_month,
    owner_performance,
    task_backlog,
    won_deal_overview,
    won_revenue_monthly,
)

OF_HISTORY: tuple[Callable[[Crm, Crm], Iterable[Record]], ...] = (account_ownership, task_durations, won_deal_changes)


def recomputed(before: Crm, after: Crm) -> dict[str, list[Record]]:
    """Name of a mart -> its rows, after builds of these two states."""
    return {
        "pipeline_health_daily": [health(before), health(after)],
        **{of_now.__name__: list(of_now(after)) for of_now in OF_NOW},
        **{of_history.__name__: list(of_history(before, after)) for of_history in OF_HISTORY},
    }
