"""The CRM as a dlt source: one declarative `rest_api` configuration for all resources, and the context for it.

By default dlt looks for its own settings in the working folder and in the user's home. Within the context it reads the
same sources as the project, in the same order, wherever a command was started, and sends no telemetry unless a setting
turns it on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import ConfigProvider, ConfigTomlProvider, EnvironProvider, SecretsTomlProvider
from dlt.common.configuration.providers.doc import CustomLoaderDocProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.jsonpath import compile_path
from dlt.common.runtime.run_context import RunContext
from dlt.extract import DltSource
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import ClientConfig, EndpointResource

from crm_assets.api import ENDPOINTS, ID, NEWEST_FIRST, PER_PAGE
from crm_assets.settings import CrmSettings
from crm_assets.settings.documents import ENVIRONMENT, Document, documents
from crm_assets.source.http.limits import Ledger, limits_of
from crm_assets.source.http.page import Page
from crm_assets.source.http.session import PageSession
from crm_assets.source.reading.incremental import Cursor, IncrementalPaginator
from crm_assets.source.reading.paginator import FullReadPaginator
from crm_assets.source.reading.report import OnPage, ReadReport
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.batches import Forgotten, RecordBatches
from crm_assets.source.typing.redaction import Redaction, without_never_stored
from crm_assets.source.typing.side_loads import SideLoads


@dataclass(frozen=True)
class ReadState:
    """What is known from earlier reads.

    Attributes:
        cursor: Where an incremental read may stop; None for a full read.
        types: Column -> data type of the stored columns.
        sent: Requests of earlier processes, as pairs (seconds ago, number). They count against the rate limits, unless
            there is a ledger, which has them.
        forgotten: Records that must not be loaded.
        ledger: Where several processes count their requests together; None if they do not.
    """

    cursor: Cursor | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    sent: Sequence[tuple[float, int]] = ()
    forgotten: Forgotten = field(default_factory=Forgotten)
    ledger: Ledger | None = None


@dataclass(frozen=True)
class Read:
    """One read of one resource. The source can be iterated once; the other attributes are final after that."""

    source: DltSource
    batches: RecordBatches
    side_loads: SideLoads
    report: Callable[[], ReadReport]


@contextmanager
def crm_read(
    resource: str, settings: CrmSettings, state: ReadState, announce: Callable[[str], object], on_page: OnPage
) -> Iterator[Read]:
    """Prepares one read of a resource. No request is sent until its source is iterated.

    The source and its dlt schema are named after the resource.

    Args:
        resource: The resource to read.
        settings: Must have a base URL and a key.
        state: What is known from earlier reads.
        announce: Called with a message about each long wait.
        on_page: Called with the progress after each page.
    """
    limits = limits_of(settings)
    limits.ledger = state.ledger
    limits.count_earlier(state.sent)
    schema = resource_schema(resource)
    redaction = Redaction(settings, schema.columns)

    def redact(records: list[Any]) -> None:
        records[:] = without_never_stored(records, schema.never_stored)
        redaction.records(records)

    session = PageSession(settings, resource, redact, announce)
    with dlt_context(), closing(session):
        paginator = IncrementalPaginator(session, state.cursor) if state.cursor else FullReadPaginator(session)
        side_loads = SideLoads(resource, settings, state.forgotten)
        batches = RecordBatches(resource, state.types, state.forgotten, settings.max_undeclared_columns)

        def step(page: Page) -> Iterator[Any]:
            on_page(paginator.progress())
            side_loads.add(page)
            return batches.tables(page, is_last=not paginator.has_next_page)

        source = list_source(session, paginator, NEWEST_FIRST if state.cursor else {}, step)

        def report() -> ReadReport:
            session.close()  # so that no page that was prefetched in vain is requested after the count
            return replace(
                paginator.report,
                requests=session.requests,
                retries=session.retries,
                answered_at=session.answered_at,
                seconds_waiting=session.waits.seconds,
                rejected=batches.rejected,
                notes=[*paginator.report.notes, *side_loads.notes],
                dropped_fields=tuple(sorted(redaction.dropped)),
            )

        yield Read(source, batches, side_loads, report)


def list_source(
    session: PageSession,
    paginator: BasePaginator,
    order: Mapping[str, Any],
    step: Callable[[Page], Iterator[Any]] | None = None,
) -> DltSource:
    """The list of a session as a dlt source that has the resource's name.

    Args:
        session: Its settings must have a base URL and a key.
        paginator: Decides which pages are read.
        order: Query parameters besides the configured ones and the page size.
        step: Receives each page. Without it, pages are the source's items.
    """
    settings, resource = session.settings, session.resource
    query = {_doubled(name): _doubled(value) for name, value in settings.endpoint(resource).query.items()}
    client: ClientConfig = {
        "base_url": settings.base_url or "",
        "auth": {
            "type": "api_key",
            "name": settings.api_key_name,
            "api_key": settings.api_key.get_secret_value() if settings.api_key else "",
            "location": "header",
        },
        "headers": {"Accept": "application/json"},
        "session": session,
    }
    config: EndpointResource = {
        "name": resource,
        "primary_key": ID,
        # So that files have all declared columns, also those without a value, and an empty list has a file.
        "columns": {
            name: {"name": name, "data_type": column.data_type, "nullable": column.nullable}
            for name, column in resource_schema(resource).columns.items()
        },
        "endpoint": {
            # dlt looks for placeholders in braces: in a path twice, in names and values of parameters once.
            "path": settings.path(resource).replace("{", "%7B").replace("}", "%7D"),
            "params": {**query, PER_PAGE: settings.per_page, **order},
            # dlt would compile a string again for every page.
            "data_selector": compile_path(ENDPOINTS[resource].data_selector),
            "paginator": paginator,
        },
        "processing_steps": [{"yield_map": step}] if step else [],
    }
    return rest_api_source({"client": client, "resources": [config]}, name=resource, max_table_nesting=0)


def _doubled(value: Any) -> Any:
    """A query parameter's name or value whose braces dlt sends: a filter may be JSON."""
    return value.replace("{", "{{").replace("}", "}}") if isinstance(value, str) else value


DEFAULTS = Document(
    "the defaults of crm_assets",
    tree={
        "runtime": {"dlthub_telemetry": False},
        # Rows of a row group. DuckDB keeps the metadata of all groups: of 5,000 rows each, 17 MB for a million rows.
        "data_writer": {"buffer_max_items": 20_000},
        # The files between extract and load live for seconds: compressing them takes a tenth of the time.
        "normalize": {"data_writer": {"disable_compression": True}},
    },
)
"""The project's defaults for dlt's own settings."""


def provider_of(document: Document) -> ConfigProvider:
    """One source of the project's settings, as a dlt provider. No file is read again."""
    if document.origin == ENVIRONMENT:
        return EnvironProvider()
    return CustomLoaderDocProvider(document.origin, lambda: dict(document.tree), document.may_hold_secrets)


class ProjectContext(RunContext):
    """A dlt context with the project's sources of settings, then the user's own dlt files, then the defaults."""

    def initial_providers(self) -> list[ConfigProvider]:
        """All sources. Files that cannot be read are left out: resolving the project's settings reports them."""
        return [
            *map(provider_of, documents()),
            SecretsTomlProvider(self.global_dir),
            ConfigTomlProvider(self.global_dir),
            provider_of(DEFAULTS),
        ]


@contextmanager
def dlt_context() -> Iterator[None]:
    """Makes dlt use a `ProjectContext` while the body runs, and restores the previous context afterwards."""
    container = Container()
    if PluggableRunContext in container and isinstance(container[PluggableRunContext].context, ProjectContext):
        yield
        return
    with container.injectable_context(PluggableRunContext(ProjectContext(None))):
        yield
