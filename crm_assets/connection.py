"""The connection to the CRM: the configured one, or the bundled sandbox if none is configured."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone

from dagster import ConfigurableResource, InitResourceContext, get_dagster_logger
from pydantic import PrivateAttr, SecretStr

from crm_assets.api import ENDPOINTS, INCLUDE
from crm_assets.errors import ExtraMissing
from crm_assets.probing.check import CrmFindings, check_crm
from crm_assets.settings import DEFAULT_CRM, Crm, CrmSettings, EndpointSettings, resolve_settings, setting_name
from crm_assets.settings.crm import SANDBOX
from crm_assets.settings.finding import NOT_FOR_LISTS


class CrmConnection(ConfigurableResource):  # type: ignore[type-arg]
    """The Dagster resource for the CRM to read. Settings are resolved when needed, never at import."""

    _until_end_of_run: ExitStack = PrivateAttr()
    _sandbox: CrmSettings | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["CrmConnection"]:
        """Keeps a started sandbox running until the run ends."""
        with ExitStack() as self._until_end_of_run:
            yield self
        self._sandbox = None

    def settings(self, crm: Crm = DEFAULT_CRM) -> CrmSettings:
        """The settings to read a CRM with. Starts the sandbox if the only CRM has neither a base URL nor a key.

        Raises:
            SettingsError: A setting is missing, unknown or not allowed.
        """
        settings = resolve_settings(crm, NOT_FOR_LISTS)
        if not settings.is_sandbox:
            return settings
        return self._sandbox or self._start_sandbox(settings)

    def check(self, announce: Callable[[str], object], crm: Crm = DEFAULT_CRM) -> CrmFindings:
        """Checks whether a CRM can be read. `announce` is called with a message about each long wait.

        Raises:
            SettingsError: A setting is missing, unknown or not allowed.
        """
        settings = self.settings(crm)
        return check_crm(settings, self.address(settings), datetime.now(timezone.utc), announce)

    def address(self, settings: CrmSettings) -> str:
        """The address that identifies this CRM."""
        return SANDBOX if settings is self._sandbox else settings.source

    def _start_sandbox(self, settings: CrmSettings) -> CrmSettings:
        # Steps in separate processes each start a sandbox. Its records depend only on the seed and the clock, so all
        # of them serve the same CRM. Imported here, since a real CRM does not need it.
        address, key = setting_name("base_url"), setting_name("api_key")
        try:
            from crm_assets.sandbox import serving_sandbox
        except ModuleNotFoundError as error:
            raise ExtraMissing(
                f"Neither {address} nor {key} is set. The bundled sandbox needs the package {error.name}, which is not "
                "installed. Run: pip install 'crm_assets[sandbox]'"
            ) from None

        # A resource added to the project is an empty list in the sandbox.
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
                    # Without `include` records are not linked, and answers have no names.
                    resource: EndpointSettings(params={INCLUDE: ",".join(endpoint.includes)})
                    for resource, endpoint in ENDPOINTS.items()
                    if endpoint.includes
                },
            }
        )
        return self._sandbox
