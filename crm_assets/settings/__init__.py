"""All settings: their names and types, where they are read from, and validation. Imports neither Dagster nor dlt."""

from crm_assets.settings.crm import CrmSettings, EndpointSettings, PersonalData, is_loopback
from crm_assets.settings.finding import find, resolve_settings, setting_at_load
from crm_assets.settings.names import DEFAULT_CRM, Crm, named_now, section_in_use, setting_name

__all__ = [
    "DEFAULT_CRM",
    "Crm",
    "CrmSettings",
    "EndpointSettings",
    "PersonalData",
    "find",
    "is_loopback",
    "named_now",
    "resolve_settings",
    "section_in_use",
    "setting_at_load",
    "setting_name",
]
