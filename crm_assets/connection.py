"""The connection to the CRM: the configured one, or the bundled sandbox while nothing is configured."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dagster import ConfigurableResource, InitResourceContext, get_dagster_logger
from pydantic import PrivateAttr, SecretStr

from crm_assets.settings import CrmSettings, EndpointSettings, resolve_settings
from crm_assets.source.api import ENDPOINTS, INCLUDE

SANDBOX = "the bundled sandbox"
"""What its records are known to come from: its address is another one each time."""


class CrmConnection(ConfigurableResource):  # type: ignore[type-arg]
    """Tells a run which CRM to read. Settings and the key are resolved when asked for, never at import."""

    _until_end_of_run: ExitStack = PrivateAttr()
    _sandbox: CrmSettings | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["CrmConnection"]:
        """Keeps a sandbox that was started until the run ends."""
        with ExitStack() as self._until_end_of_run:
            yield self
        self._sandbox = None

    def settings(self) -> CrmSettings:
        """Settings to read with; starts the sandbox if neither a base URL nor a key is configured.

        Raises:
            SettingsError: A setting is missing, unknown or not allowed.
        """
        settings = resolve_settings()
        if not settings.is_sandbox:
            return settings
        return self._sandbox or self._start_sandbox(settings)

    def address(self, settings: CrmSettings) -> str:
        """What tells this CRM from others."""
        return SANDBOX if self._sandbox else settings.base_url or ""

    def _start_sandbox(self, settings: CrmSettings) -> CrmSettings:
        # Steps that run in a process each start a sandbox each. Its records follow from the seed and the wall clock
        # alone, so all of them show the same CRM.
        # Imported here, as a real CRM is read without it.
        from crm_assets.sandbox import serving_sandbox

        # A resource that was added to the project is an empty list there.
        lists = {endpoint.path: endpoint.data_selector for endpoint in ENDPOINTS.values()}
        sandbox = self._until_end_of_run.enter_context(serving_sandbox(empty_lists=lists))
        get_dagster_logger().info(
            f"No CRM is configured: reading generated records from the bundled sandbox at {sandbox.base_url}"
        )
        self._sandbox = settings.model_copy(
            update={
                "base_url": sandbox.base_url,
                "api_key": SecretStr(sandbox.api_key),
                "api_key_name": "api_key",
                "endpoints": {
                    # So that its records are linked, as plain lists are not, and its answers carry names.
                    resource: EndpointSettings(params={INCLUDE: ",".join(endpoint.includes)})
                    for resource, endpoint in ENDPOINTS.items()
                    if endpoint.includes
                },
            }
        )
        return self._sandbox
