"""The sandbox: a CRM server with generated records that change while it runs."""

from crm_assets.sandbox.server import Faults, RunningSandbox, serving_sandbox

__all__ = ["Faults", "RunningSandbox", "serving_sandbox"]
