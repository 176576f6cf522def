"""Makes dlt read its own settings from the same sources, in the same order, as the project reads its settings.

By default dlt looks in the working folder and in the user's home. Within this context it reads the project's files,
wherever a command was started, and sends no telemetry unless a setting turns it on.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import (
    ConfigProvider,
    ConfigTomlProvider,
    EnvironProvider,
    SecretsTomlProvider,
)
from dlt.common.configuration.providers.doc import BaseDocProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext, switched_run_context

from crm_assets.settings.documents import ENVIRONMENT, Document, documents

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


class DocumentProvider(BaseDocProvider):
    """One source of the project's settings, as a dlt provider."""

    def __init__(self, document: Document) -> None:
        """Serves the document's values; no file is read again."""
        super().__init__(dict(document.tree))
        self._document = document

    @property
    def name(self) -> str:
        """The file, or `the environment`."""
        return self._document.origin

    @property
    def supports_secrets(self) -> bool:
        """Whether secrets may be kept there."""
        return self._document.may_hold_secrets

    @property
    def supports_sections(self) -> bool:
        """True: documents have tables."""
        return True


class ProjectContext(RunContext):
    """A dlt context with the project's sources of settings, then the user's own dlt files, then the defaults."""

    def __init__(self) -> None:
        """Uses the working folder as the run directory."""
        super().__init__(None)

    def initial_providers(self) -> list[ConfigProvider]:
        """All sources. Files that cannot be read are left out: resolving the project's settings reports them."""
        return [
            *(
                EnvironProvider() if document.origin == ENVIRONMENT else DocumentProvider(document)
                for document in documents()
            ),
            SecretsTomlProvider(self.global_dir),
            ConfigTomlProvider(self.global_dir),
            DocumentProvider(DEFAULTS),
        ]


@contextmanager
def dlt_context(context: RunContext) -> Iterator[None]:
    """Makes dlt use `context` while the body runs, and restores the previous one afterwards."""
    container = Container()
    if PluggableRunContext in container:
        if type(container[PluggableRunContext].context) is type(context):
            yield
            return
        with switched_run_context(context):
            yield
        return
    container[PluggableRunContext] = PluggableRunContext(context)
    try:
        yield
    finally:
        del container[PluggableRunContext]
