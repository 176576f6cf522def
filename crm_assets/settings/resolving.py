"""Validates what was found: returns an object with all settings, or messages about everything that is wrong."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from crm_assets.errors import SettingsError
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.finding import SECRETS, Found, find
from crm_assets.settings.names import DEFAULT_CRM, Crm, full_name, section_in_use

NEEDED_AT_LOAD_ONLY = ("executor", "schedule_timezone")
"""Settings that Dagster needs when the code location loads. If one is wrong, its default is used."""

MAY_HOLD_SECRETS = frozenset({*SECRETS, "base_url", "ui_url", "api_key_name", "endpoints"})
"""Settings whose values messages do not repeat: a URL can hold a password, a query parameter a token."""


def resolve_settings(crm: Crm = DEFAULT_CRM) -> CrmSettings:
    """Reads and validates all settings, those of the first CRM or of one with a name.

    Raises:
        SettingsError: A file cannot be read, or a setting is missing, unknown or not allowed. The message has a line
            for each.
    """
    found = find(crm)
    if found.unreadable:
        raise SettingsError("\n".join(found.unreadable))
    for name in NEEDED_AT_LOAD_ONLY:
        if wrong_value(found, name):
            del found.values[name]
    settings, wrong = checked(found)
    if settings is None or found.errors:
        raise SettingsError("\n".join((*found.errors, *wrong)))
    return settings


def checked(found: Found) -> tuple[CrmSettings | None, list[str]]:
    """The settings, or a message for each that is missing or not allowed."""
    try:
        with section_in_use(found.crm.section):
            settings = CrmSettings(**found.values)
    except ValidationError as error:
        return None, [_sentence(detail, found) for detail in error.errors()]
    if found.crm.name and settings.is_sandbox:
        url, key = (full_name(name, found.crm.section) for name in ("base_url", "api_key"))
        return None, [f"{url} and {key} are missing. Set both: each CRM has its own."]
    return settings, []


def setting_at_load(name: str, warn: Callable[[str], object] | None = None, crm: Crm = DEFAULT_CRM) -> Any:
    """The value of one setting for the code location, which must load even if settings are wrong.

    Args:
        name: A setting that can be validated alone.
        warn: Called with a message if the value is not allowed and the default is used.
        crm: The CRM that the setting is of.
    """
    found = find(crm)
    wrong = wrong_value(found, name)
    if wrong and warn:
        warn(f"{wrong} The default is used.")
    given = {} if wrong or name not in found.values else {name: found.values[name]}
    return getattr(CrmSettings(**given), name)


def wrong_value(found: Found, name: str) -> str:
    """What is wrong with one setting's value; empty if nothing is."""
    try:
        CrmSettings(**({name: found.values[name]} if name in found.values else {}))
    except ValidationError as error:
        return " ".join(_sentence(detail, found) for detail in error.errors() if name in detail["loc"])
    return ""


def problems(found: Found) -> list[str]:
    """Messages about everything that is wrong, needed or not."""
    return [*found.unreadable, *found.errors, *found.unknown, *checked(found)[1]]


def unknown_variables() -> list[str]:
    """Messages about unknown variables with a setting's prefix, misspelt or of another program."""
    return find().unknown


def _sentence(detail: Any, found: Found) -> str:
    """A message about one validation error: the setting, where it was given, and what is allowed."""
    reason = str(detail["msg"]).removeprefix("Value error, ")
    if not detail["loc"]:
        return f"{reason}."
    top, *inner = map(str, detail["loc"])
    within = f", at {'.'.join(inner)}," if inner else ""
    shown = "" if top in MAY_HOLD_SECRETS else f" is {str(found.values.get(top))!r}, which is not allowed"
    given = f"Setting {full_name(top, found.section(top))}{within} in {' and '.join(found.origins.get(top, ()))}"
    return f"{given}{shown}: {reason}."
