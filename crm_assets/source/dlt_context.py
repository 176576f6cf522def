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
    CustomLoaderDocProvider,
    EnvironProvider,
    SecretsTomlProvider,
)
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

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


class ProjectContext(RunContext):
    """A dlt context with the project's sources of settings, then the user's own dlt files, then the defaults."""

    def initial_providers(self) -> list[ConfigProvider]:
        """All sources. Files that cannot be read are left out: resolving the project's settings reports them."""
        return [
            *map(_provider, documents()),
            SecretsTomlProvider(self.global_dir),
            ConfigTomlProvider(self.global_dir),
            _provider(DEFAULTS),
        ]


def _provider(document: Document) -> ConfigProvider:
    if document.origin == ENVIRONMENT:
        return EnvironProvider()
    return CustomLoaderDocProvider(document.origin, lambda: dict(document.tree), document.may_hold_secrets)


@contextmanager
def dlt_context() -> Iterator[None]:
    """Makes dlt read its settings from the project's sources while the body runs."""
    container = Container()
    # Without a context in the container, dlt would make its own, and read files that may be wrong.
    if PluggableRunContext in container and isinstance(container[PluggableRunContext].context, ProjectContext):
        yield
    else:
        with container.injectable_context(PluggableRunContext(ProjectContext(None))):
            yield
