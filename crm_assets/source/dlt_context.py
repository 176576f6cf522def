"""Where dlt finds its own settings while it works for this project: in the places of the project's, in their order.

By itself dlt looks into the working folder and its user's, as soon as anything of it is used. Within this context it
finds what the project's files say wherever a command was started, and sends no telemetry unless it is told to.
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
        # The spool between reading and loading lives for seconds: compressing it costs a tenth of the time.
        "normalize": {"data_writer": {"disable_compression": True}},
    },
)
"""What dlt is told unless it is told otherwise."""


class DocumentProvider(BaseDocProvider):
    """One of the project's places, for dlt."""

    def __init__(self, document: Document) -> None:
        """Takes what was read: nothing is read again."""
        super().__init__(dict(document.tree))
        self._document = document

    @property
    def name(self) -> str:
        """The place."""
        return self._document.place

    @property
    def supports_secrets(self) -> bool:
        """Whether secrets belong there."""
        return self._document.may_hold_secrets

    @property
    def supports_sections(self) -> bool:
        """Always: it has tables."""
        return True


class DefaultsContext(RunContext):
    """Has only the defaults. Nothing is read, so that nothing can be wrong with it."""

    def __init__(self) -> None:
        """Has the working folder as its own."""
        super().__init__(None)

    def initial_providers(self) -> list[ConfigProvider]:
        """The defaults."""
        return [DocumentProvider(DEFAULTS)]


class ProjectContext(DefaultsContext):
    """Has what the project's places say, then the user's files for all of dlt, then the defaults."""

    def initial_providers(self) -> list[ConfigProvider]:
        """All places. Files that cannot be read are left out: the project's own settings tell of them."""
        return [
            *(
                EnvironProvider() if document.place == ENVIRONMENT else DocumentProvider(document)
                for document in documents()
            ),
            SecretsTomlProvider(self.global_dir),
            ConfigTomlProvider(self.global_dir),
            *super().initial_providers(),
        ]


@contextmanager
def dlt_context(context: RunContext) -> Iterator[None]:
    """Has dlt use a context while the body runs, and then what it used before."""
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
