"""Finds every setting's value, from the document with the highest precedence, and validates them all.

The result is an object with all settings, or messages about everything that is wrong.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from itertools import product
from typing import Any

from pydantic import ValidationError

from crm_assets.errors import SettingsError
from crm_assets.masking import know, masked
from crm_assets.settings import names
from crm_assets.settings.crm import CrmSettings, EndpointSettings
from crm_assets.settings.documents import Document, documents, from_json, merged, table
from crm_assets.settings.names import DEFAULT_CRM, SECTION, Crm, full_name
from crm_assets.settings.secrets import secrets_in

SECRETS = frozenset(
    name for name, setting in CrmSettings.model_fields.items() if "SecretStr" in str(setting.annotation)
)
"""Settings whose values are never shown."""

PATHS = frozenset({"data_dir", "warehouse", "warehouse_files"})
"""Settings that may be paths. In a file they are relative to its folder."""

OWN = frozenset({"base_url", "api_key"})
"""Settings that each CRM has for itself, without a default."""

PLAIN_KEY = "api_key"
"""A second name of the key, with lower precedence."""

UNDERSCORES = re.compile("_+")
"""One underscore instead of two is an easy mistake, with which the sandbox would be read without a word."""

PREFIX = re.compile("SOURCES__.*__|CRM_")

NO_RELATIVE_PATH = re.compile(r"~|\w{2,}:")
"""The start of a path in the user's home, or of an address."""


@dataclass
class Found:
    """The values of all documents, combined.

    Attributes:
        crm: The CRM that the settings are of.
        values: Setting -> value as it was given.
        origins: Setting -> where it was given: files, or the environment. Merged tables have several.
        unreadable: Messages about files that could not be read.
        errors: Messages about unknown names in the section, and about secrets in the wrong file.
        unknown: Messages about other variables that look like settings but may belong to another program.
        sections: Setting -> the section that its value is from. `sources.crm` has the defaults of CRMs with a name.
    """

    crm: Crm = DEFAULT_CRM
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, list[str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    sections: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """Both names of a setting, in the section that its value is from."""
        return full_name(name, self.sections.get(name, self.crm.section))

    def add(self, name: str, value: Any, document: Document, section: str = SECTION) -> None:
        """Adds a value unless it is blank, or one is from a document with higher precedence. Tables are merged."""
        if value is None or (isinstance(value, str) and not value.strip()):
            return
        self.sections.setdefault(name, section)
        if name in SECRETS and not document.may_hold_secrets:
            self.errors.append(
                f"{self.named(name)} is a secret and must not be in {document.origin}. "
                "Move it to secrets.toml in the same folder, to .env, or into the environment"
            )
        if name in PATHS and isinstance(value, str) and not NO_RELATIVE_PATH.match(value):
            value = str(document.folder / value)
        value = from_json(value) if name == "endpoints" else value
        if name not in self.values or isinstance(value, Mapping):
            self.values[name] = merged(self.values.get(name, value), value)
            self.origins.setdefault(name, []).append(document.origin)


def find(crm: Crm = DEFAULT_CRM) -> Found:
    """Reads all documents, for one CRM. Settings of `sources.crm` are the defaults of a CRM with a name."""
    everything = list(documents())
    found = Found(crm, unreadable=[document.problem for document in everything if document.problem])
    for section, document in product(dict.fromkeys((crm.section, SECTION)), everything):
        for key, value in table(table(document.tree, names.SOURCES), section).items():
            name = key.lower()
            if name not in CrmSettings.model_fields or names.is_about_deployment(name):
                found.errors.append(_unknown(f"{names.SOURCES}__{section}__{key}", document, section))
            elif section == crm.section or name not in OWN:
                found.add(name, value, document, section)
    for document in everything:
        _add_others(found, document)
    know(crm.name, secrets_in(found.values, os.environ))
    return found


def _add_others(found: Found, document: Document) -> None:
    """Adds the settings about this machine, and the key by its second name. Other underscores make a name unknown."""
    for key, value in document.tree.items():
        name = key.lower().removeprefix(names.DEPLOYMENT_PREFIX)
        if name != key.lower() and names.is_about_deployment(name):
            found.add(name, value, document, found.crm.section)
        elif key.lower() == PLAIN_KEY and not found.crm.name and not isinstance(value, Mapping):
            found.add(PLAIN_KEY, value, document)
    known = _variables(found.crm.section)
    squeezed = {UNDERSCORES.sub("_", variable) for variable in known}
    for variable in map(str.upper, _names(document.tree)):
        looks_known = variable.lower().startswith(names.DEPLOYMENT_PREFIX) or UNDERSCORES.sub("_", variable) in squeezed
        if looks_known and variable not in known:
            found.unknown.append(_unknown(variable, document, found.crm.section))


def _names(tree: Mapping[str, Any]) -> Iterator[str]:
    """The names of all values as variables, with `__` between those of tables."""
    for key, value in tree.items():
        yield from (f"{key}__{name}" for name in _names(value)) if isinstance(value, Mapping) else (key,)


def _variables(section: str) -> list[str]:
    """All settings as variables."""
    return [names.setting_name(name, section) for name in CrmSettings.model_fields]


def _unknown(variable: str, document: Document, section: str) -> str:
    """A message about an unknown name, with the most similar name if it is similar without the prefix."""
    [closest] = get_close_matches(variable.upper(), _variables(section), n=1, cutoff=0)
    given, meant = map(names.toml_name if document.is_toml else str.upper, (variable, closest))
    own, others = (PREFIX.sub("", name) for name in (variable.upper(), closest))
    is_similar = get_close_matches(own, [others], cutoff=0.47)
    remedy = f"Did you mean {meant}?" if is_similar else "`crm-assets settings` lists all"
    return f"Unknown setting {given} in {document.origin}. {remedy}"


LONGEST = 100
"""The most characters of a value that a message repeats. A secret that was cut could not be masked any more."""

NEEDED_AT_LOAD_ONLY = ("executor", "schedule_timezone")
"""Settings that Dagster needs when the code location loads. If one is wrong, its default is used."""

MAY_HOLD_SECRETS = frozenset(
    {*SECRETS, "base_url", "ui_url", "reports_url", "repository_url", "api_key_name", "endpoints"}
)
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
        if alone(found, name)[1]:
            del found.values[name]
    settings, wrong = checked(found)
    if settings is None or found.errors:
        raise SettingsError("\n".join((*found.errors, *wrong)))
    return settings


def checked(found: Found) -> tuple[CrmSettings | None, list[str]]:
    """The settings, or a message for each that is missing or not allowed."""
    try:
        with names.section_in_use(found.crm.section):
            settings = CrmSettings(**found.values)
    except ValidationError as error:
        return None, list(dict.fromkeys(_sentence(detail, found) for detail in error.errors()))
    if found.crm.name and settings.is_sandbox:
        both = f"{found.named('base_url')} and {found.named('api_key')}"
        return None, [f"{both} are missing. Set both: each CRM has its own."]
    return settings, []


def setting_at_load(name: str, warn: Callable[[str], object] | None = None, crm: Crm = DEFAULT_CRM) -> Any:
    """The value of one setting for the code location, which must load even if settings are wrong.

    Args:
        name: A setting that can be validated alone.
        warn: Called with a message if the value is not allowed and the default is used.
        crm: The CRM that the setting is of.
    """
    value, wrong = alone(find(crm), name)
    if wrong and warn:
        warn(f"{wrong} The default is used.")
    return value


def alone(found: Found, name: str) -> tuple[Any, str]:
    """One setting, validated alone, and what is wrong with it. If anything is, the value is the default."""
    try:
        given = {name: found.values[name]} if name in found.values else {}
        return getattr(CrmSettings(**given), name), ""
    except ValidationError as error:
        wrong = [_sentence(detail, found) for detail in error.errors() if name in detail["loc"]]
        return getattr(CrmSettings(), name), " ".join(wrong)


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
    if inner and detail["type"] == "extra_forbidden":
        reason = f"is unknown: give any of {', '.join(EndpointSettings.model_fields)}"
    elif detail["type"] != "value_error":
        name, *deeper = inner[1:] or [top]
        whole = "a whole number, " if detail["type"].startswith("int_") and not deeper else ""
        not_that = f"{reason}: " if detail["type"] == "boolean" else ""
        reason = f"{not_that}give {whole}{allowed(name)}".replace("`", "")
    within = f", at {'.'.join(inner[:3])}," if inner else ""  # then come the types that a parameter may have
    shown = (
        "" if top in MAY_HOLD_SECRETS else f" is {masked(str(found.values.get(top)))[:LONGEST]!r}, which is not allowed"
    )
    given = f"Setting {found.named(top)}{within} in {' and '.join(found.origins.get(top, ()))}"
    return f"{given}{shown}: {reason}."


def allowed(name: str) -> str:
    """Which values a setting, also one of a resource, can have."""
    schema = properties()[name]
    if "allowed" in schema:
        return str(schema["allowed"])
    kind = schema["anyOf"][0] if "anyOf" in schema else schema
    if values := kind.get("enum") or ["true", "false"] * (kind["type"] == "boolean"):
        *others, last = (f"`{value}`" for value in values)
        return f"{', '.join(others)} or {last}"
    lowest = f"more than {kind['exclusiveMinimum']:g}" if "exclusiveMinimum" in kind else f"{kind['minimum']:g}"
    fractions = "" if kind["type"] == "integer" else ", fractions too"
    return f"{lowest} {'to {:g}'.format(kind['maximum']) if 'maximum' in kind else 'or more'}{fractions}"


@cache
def properties() -> Mapping[str, dict[str, Any]]:
    """Setting -> its JSON schema."""
    schema = CrmSettings.model_json_schema(ref_template="{model}")
    every = {**schema["$defs"]["EndpointSettings"]["properties"], **schema["properties"]}
    return {name: {**schema["$defs"].get(each.get("$ref"), {}), **each} for name, each in every.items()}
