"""Give stored data the configured policy of personal data: crm-assets apply-policy.

Shows what it changes and destroys, and asks. Until then, reads are refused after a change of `personal_data`, of its
key, or of the fields that it keeps. If it is stopped, call it again: it goes on.
"""

from argparse import ArgumentParser, Namespace

from crm_assets.commands import add_answers, is_confirmed
from crm_assets.privacy.applying import apply_policy, pending_change
from crm_assets.runner.loading import load_models
from crm_assets.settings import resolve_settings
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Adds whether to ask."""
    add_answers(parser)


def run(arguments: Namespace) -> int:
    """Shows what would change, asks, and changes it."""
    crm = arguments.crm
    warehouse, settings, models = Warehouse().of(crm), resolve_settings(crm), load_models()
    pending = pending_change(warehouse, settings, models)
    if not pending:
        print(f"Stored data follow personal_data {settings.personal_data.value}: there is nothing to change")
        return 0
    print("\n".join(pending))
    if not is_confirmed(arguments, "Change the stored data, for good?"):
        print("Nothing was changed")
        return 0
    apply_policy(warehouse, settings, models, print)
    print("Done. No file with tables holds the removed values any more")
    return 0
