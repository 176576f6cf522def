"""Finds every setting's value, from the document with the highest precedence, and validates them all.

The result is an object with all settings, or messages about everything that is wrong.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import product
from typing import Any

from pydantic import ValidationError

from crm_assets.errors import SettingsError
from crm_assets.masking import know, masked
from crm_assets.settings.crm import CrmSettings, EndpointSettings
from crm_assets.settings.documents import Document, documents, from_json, merged
from crm_assets.settings.names import DEFAULT_CRM, SECTION, Crm, both_names, crm_files, setting_name, toml_name
from crm_assets.settings.secrets import secrets_in

SECRETS = frozenset(
    name for name, setting in CrmSettings.model_fields.items() if "SecretStr" in str(setting.annotation)
)
"""Settings whose values are never shown."""

PATHS = frozenset({"data_dir", "warehouse", "warehouse_files"})
"""Settings that may be paths. In a file they are relative to its folder."""

OWN = frozenset({"base_url", "api_key"})
"""Settings that each CRM has for itself, without a default."""

PLAIN_KEY = "API_KEY"
"""A second name of the key, with lower precedence. Another program may have a table of that name."""

UNDERSCORES, SOURCES_WORD = re.compile("_+"), re.compile("^SO[A-Z]+_")
"""One underscore instead of two, or SOURCE, is an easy mistake, with which the sandbox would be read without a word."""

OF_DBT = ("CRM_DATABASE", "CRM_DBT_PROJECT")  # docs/dbt.md sets them

DEPTH = 2
"""The number of `__` in the name of a setting about the CRM. What has more is within a setting."""

PREFIX = re.compile("SOURCES__.*__|CRM_")

NO_RELATIVE_PATH = re.compile(r"~|\w{2,}:")
"""The start of a path in the user's home, or of an address."""

LONGEST = 100
"""The most characters of a value that a message repeats. A secret that was cut could not be masked any more."""

LINKS = ("ui_url", "reports_url", "repository_url")

NOT_FOR_READS = ("executor", "schedule_timezone", "digest", "keep_runs_days", *LINKS)
"""Settings that no read and no model needs. If one is wrong, these go on."""

OF_MODELS = frozenset({"reporting_timezone", "fiscal_year_start"})
NOT_FOR_LISTS = OF_MODELS | {"currency"}
NOT_FOR_TABLES = frozenset(CrmSettings.model_fields) - {
    *("base_url", "api_key", "allow_http"),  # they say whether it is the sandbox
    *("data_dir", "warehouse", "warehouse_files", "memory_limit"),
}
NOT_FOR_MODELS = NOT_FOR_TABLES - OF_MODELS
"""Settings that are not needed to read a list, to open the tables, to build a model."""

MAY_HOLD_SECRETS = frozenset({*SECRETS, *LINKS, "base_url", "api_key_name", "endpoints"})
"""Settings whose values messages do not repeat: a URL can hold a password, a query parameter a token."""


@dataclass
class Found:
    """The values of all documents, combined.

    Attributes:
        crm: The CRM that the settings are of.
        values: Setting -> value as it was given.
        variables: Setting -> the name by which it was given. `sources.crm` has the defaults of CRMs with a name.
        origins: Setting -> where it was given: files, or the environment. Merged tables have several.
        unreadable: Messages about files that could not be read.
        errors: Messages about unknown names in the section, and about secrets in the wrong file.
        unknown: Messages about other variables that look like settings but may belong to another program, and about
            files of CRMs that are not read.
    """

    crm: Crm = DEFAULT_CRM
    values: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    origins: dict[str, list[str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def given(self, name: str, within: str = "") -> str:
        """Which setting, or what within it, was given, and where, for messages."""
        return f"Setting {both_names(self.variables[name])}{within} in {' and '.join(self.origins[name])}"

    def add(self, name: str, value: Any, variable: str, document: Document) -> None:
        """Adds a value unless it is blank, or one is from a document with higher precedence. Tables are merged."""
        is_blank = value is None or (isinstance(value, str) and not value.strip())
        if is_blank or (variable == PLAIN_KEY and isinstance(value, Mapping)):
            return
        if name in SECRETS and not document.may_hold_secrets:
            self.errors.append(
                f"{both_names(variable)} is a secret and must not be in {document.origin}. "
                "Move it to secrets.toml in the same folder, to .env, or into the environment"
            )
        if name in PATHS and isinstance(value, str) and not NO_RELATIVE_PATH.match(value):
            value = str(document.folder / value)
        value = from_json(value) if name == "endpoints" else value
        if name not in self.values or isinstance(value, Mapping):
            self.variables.setdefault(name, variable)
            self.values[name] = merged(self.values.get(name, value), value)
            self.origins.setdefault(name, []).append(document.origin)


def find(crm: Crm = DEFAULT_CRM) -> Found:
    """Reads all documents, for one CRM. Settings of `sources.crm` are the defaults of a CRM with a name."""
    everything = [(document, dict(_variables(document.tree))) for document in documents()]
    found = Found(crm, unreadable=[document.problem for document, _ in everything if document.problem])
    for name in CrmSettings.model_fields:
        for variable, (document, values) in product(_names(name, crm), everything):
            found.add(name, values.get(variable), variable, document)
    sections = tuple(f"SOURCES__{section.upper()}__" for section in (crm.section, SECTION))
    known = [setting_name(name, section) for section in (crm.section, SECTION) for name in CrmSettings.model_fields]
    expected = {*known, *OF_DBT}
    squeezed = {_squeezed(variable) for variable in known}
    for document, values in everything:
        for variable in (name for name in values if name not in expected):
            looks_known = variable.startswith("CRM_") or _squeezed(variable) in squeezed
            if variable.startswith(sections) and variable.count("__") == DEPTH:
                found.errors.append(_unknown(variable, known, document))
            elif looks_known and not isinstance(values[variable], Mapping):
                found.unknown.append(_unknown(variable, known, document))
    found.unknown += [
        f"{path} is not read, so there is no such CRM: rename it to defs.yaml"
        for is_read, path, _ in crm_files()
        if not is_read
    ]
    know(crm.name, secrets_in(found.values, os.environ))
    return found


def _squeezed(variable: str) -> str:
    return SOURCES_WORD.sub("SOURCES_", UNDERSCORES.sub("_", variable))


def _variables(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All values and tables of a tree, each with its name as a variable."""
    for key, value in tree.items():
        variable = f"{prefix}{key}".upper()
        yield variable, value
        if isinstance(value, Mapping):
            yield from _variables(value, f"{variable}__")


def _names(name: str, crm: Crm) -> Iterator[str]:
    """The variables that a setting is read from, the one with the highest precedence first."""
    sections = [crm.section] if name in OWN else [crm.section, SECTION]
    yield from dict.fromkeys(setting_name(name, section) for section in sections)
    if name == "api_key" and not crm.name:
        yield PLAIN_KEY


def _unknown(variable: str, known: Collection[str], document: Document) -> str:
    """A message about an unknown name, with the most similar name if it is similar without the prefix."""
    [closest] = get_close_matches(variable, known, n=1, cutoff=0)
    given, meant = map(toml_name, (variable, closest)) if document.is_toml else (variable, closest)
    own, others = (PREFIX.sub("", name) for name in (variable, closest))
    is_similar = get_close_matches(own, [others], cutoff=0.47)
    remedy = f"Did you mean {meant}?" if is_similar else "`crm-assets settings` lists all"
    return f"Unknown setting {given} in {document.origin}. {remedy}"


def resolve_settings(crm: Crm = DEFAULT_CRM, unneeded: Collection[str] = ()) -> CrmSettings:
    """Reads and validates all settings, those of the first CRM or of one with a name.

    `unneeded`: settings that may be wrong, since their values are not used: they have their defaults.

    Raises:
        SettingsError: A file cannot be read, or a setting is missing, unknown or not allowed. The message has a line
            for each.
    """
    found = find(crm)
    for name in CrmSettings.model_fields:
        if name in unneeded or (name in NOT_FOR_READS and alone(found, name)[1]):
            found.values.pop(name, None)
    settings, wrong = checked(found)
    if wrong := found.unreadable or [*found.errors, *wrong]:
        raise SettingsError("\n".join(wrong))
    return settings


def checked(found: Found) -> tuple[CrmSettings, list[str]]:
    """All settings, and a message for each that is missing or not allowed."""
    settings, wrong = _validated(found, CrmSettings.model_fields)
    return settings, wrong or [f"{sentence}." for sentence in settings.contradictions(found.crm.section)]


def alone(found: Found, name: str) -> tuple[Any, str]:
    """One setting, validated alone, and what is wrong with it. If anything is, the value is the default."""
    settings, wrong = _validated(found, [name])
    return getattr(settings, name), " ".join(wrong)


def _validated(found: Found, names: Collection[str]) -> tuple[CrmSettings, list[str]]:
    """An object with the values of some settings, and what is wrong with them. If anything is, all are defaults."""
    try:
        return CrmSettings(**{name: value for name, value in found.values.items() if name in names}), []
    except ValidationError as error:
        return CrmSettings(), list(dict.fromkeys(_sentence(detail, found) for detail in error.errors()))


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


def _sentence(detail: Any, found: Found) -> str:
    """A message about one validation error: the setting, where it was given, and what is allowed."""
    reason = str(detail["msg"]).removeprefix("Value error, ")
    top, *inner = map(str, detail["loc"])
    if inner and detail["type"] == "extra_forbidden":
        reason = f"is unknown: give any of {', '.join(EndpointSettings.model_fields)}"
    elif detail["type"] != "value_error":
        name, *deeper = inner[1:] or [top]
        whole = "a whole number, " if detail["type"].startswith("int_") and not deeper else ""
        not_that = f"{reason}: " if detail["type"] == "boolean" else ""
        reason = f"{not_that}give {whole}{allowed(name)}".replace("`", "")
    within = f", at {'.'.join(inner[:3])}," if inner else ""  # then come the types that a parameter may have
    value = masked(str(found.values[top]))[:LONGEST]
    shown = "" if top in MAY_HOLD_SECRETS else f" is {value!r}, which is not allowed"
    return f"{found.given(top, within)}{shown}: {reason}."


def allowed(name: str) -> str:
    """Which values a setting, also one of a resource, can have. Names of settings are those of the CRM used now."""
    setting: Any = {**EndpointSettings.model_fields, **CrmSettings.model_fields}[name]
    return str(setting.json_schema_extra["allowed"]).replace(setting_name("", SECTION), setting_name(""))
