"""The owner and the retry policy of all assets."""

from functools import cache

from dagster import Backoff, Jitter, RetryPolicy

from crm_assets.dagster_internals import FailuresOnly
from crm_assets.settings import DEFAULT_CRM, Crm, setting_at_load

OWNERS = ("team:sales-operations",)


@cache
def retry_policy(crm: Crm = DEFAULT_CRM) -> RetryPolicy:
    """Three retries of a CRM's asset, after 30, 60 and 120 s (`asset_retry_delay`), with jitter."""
    # A wrong value is reported by the run.
    delay = setting_at_load("asset_retry_delay", crm=crm)
    return FailuresOnly(max_retries=3, delay=delay, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS)
