"""How a record of each kind looks, as the API answers it."""

from crm_assets.sandbox.records.accounts import account
from crm_assets.sandbox.records.appointments import appointment, end_date
from crm_assets.sandbox.records.contacts import contact
from crm_assets.sandbox.records.deals import deal
from crm_assets.sandbox.records.tasks import due_date, task

__all__ = ["account", "appointment", "contact", "deal", "due_date", "end_date", "task"]
