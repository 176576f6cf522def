"""Three CRMs with generated records of their own on loopback, and the code location that reads them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dagster import AssetSelection, DagsterInstance, Definitions, ExecuteInProcessResult, build_defs_for_component

from crm_assets.components import CrmComponent
from crm_assets.sandbox.server import RunningSandbox, serving_sandbox
from crm_assets_tests.sandbox.client import NOW

NAMES = ("north", "south", "west")


@dataclass(frozen=True)
class SeveralCrms:
    """The servers, and the folder whose `.dlt/secrets.toml` has their addresses and keys."""

    folder: Path
    servers: Mapping[str, RunningSandbox]

    def write(self, **keys: str) -> None:
        """Writes the file, with other keys than the right ones for some."""
        tables = [
            f'[sources.{name}]\nbase_url = "{server.base_url}"\napi_key = "{keys.get(name, server.api_key)}"\n'
            'endpoints.contacts.params.include = "sales_accounts,owner"\n'
            'endpoints.accounts.params.include = "owner"\n'
            'endpoints.won_deals.params.include = "sales_account,owner,deal_stage"\n'
            'endpoints.open_tasks.params.include = "owner"\n'
            for name, server in self.servers.items()
        ]
        file = self.folder / ".dlt" / "secrets.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(tables), encoding="utf-8")


@contextmanager
def several_crms(folder: Path) -> Iterator[SeveralCrms]:
    """Serves the CRMs while the body runs. Each has another number of records, which does not change."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving_sandbox(rows=100 * number, seed=number, now=NOW))
            for number, name in enumerate(NAMES, 1)
        }
        crms = SeveralCrms(folder, servers)
        crms.write()
        yield crms


@cache
def definitions() -> Definitions:
    """An instance of the component for each CRM, made once in each process."""
    return Definitions.merge(*(build_defs_for_component(CrmComponent(name=name)) for name in NAMES))


def run(selection: AssetSelection, instance: DagsterInstance | None = None) -> ExecuteInProcessResult:
    """Materializes assets of any of the CRMs in one run, as *Materialize all* in the UI does."""
    code_location = definitions()
    keys = sorted(selection.resolve(code_location.resolve_asset_graph()))
    job = code_location.resolve_implicit_global_asset_job_def()
    with nullcontext(instance) if instance else DagsterInstance.ephemeral() as used:
        return job.execute_in_process(asset_selection=keys, instance=used, raise_on_error=False)


def assets(*addresses: str) -> AssetSelection:
    """Assets by their keys, such as `north/raw/accounts`."""
    return AssetSelection.assets(*(address.split("/") for address in addresses))
