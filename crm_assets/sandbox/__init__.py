"""A CRM to try things on: a server with generated records that live on while it runs."""

from crm_assets.sandbox.faults import Faults
from crm_assets.sandbox.running import RunningSandbox, serving_sandbox

__all__ = ["Faults", "RunningSandbox", "serving_sandbox"]
