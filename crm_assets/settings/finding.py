"""Finds every setting's value, from the document with the highest precedence, and unknown names."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from crm_assets.masking import know
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.documents import Document, documents, from_json, merged
from crm_assets.settings.names import (
    DEFAULT_CRM,
    DEPLOYMENT_PREFIX,
    SECTION,
    SOURCES,
    Crm,
    full_name,
    is_about_deployment,
    setting_name,
    toml_name,
)
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
        defaults: Settings whose value is in the section `sources.crm`, which has the defaults of CRMs with a name.
    """

    crm: Crm = DEFAULT_CRM
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, list[str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    defaults: set[str] = field(default_factory=set)

    def section(self, name: str) -> str:
        """The section that a setting's value is from."""
        return SECTION if name in self.defaults else self.crm.section

    def add(self, name: str, value: Any, document: Document, section: str = SECTION) -> None:
        """Adds a value unless there is one from a document with higher precedence. Tables are merged."""
        if value is None or value == "":
            return
        if name not in self.values and section != self.crm.section:
            self.defaults.add(name)
        if name in SECRETS and not document.may_hold_secrets:
            self.errors.append(
                f"{full_name(name, self.section(name))} is a secret and must not be in {document.origin}. "
                "Move it to secrets.toml in the same folder, to .env, or into the environment"
            )
        if name in PATHS and not NO_RELATIVE_PATH.match(str(value)):
            value = str(document.folder / str(value))
        value = from_json(value) if name == "endpoints" else value
        if name not in self.values or isinstance(value, Mapping):
            self.values[name] = merged(self.values.get(name, value), value)
            self.origins.setdefault(name, []).append(document.origin)


def find(crm: Crm = DEFAULT_CRM) -> Found:
    """Reads all documents, for one CRM. Settings of `sources.crm` are the defaults of a CRM with a name."""
    everything = list(documents())
    found = Found(crm, unreadable=[document.problem for document in everything if document.problem])
    for section in dict.fromkeys((crm.section, SECTION)):
        for document in everything:
            _add_section(found, document, section)
    for document in everything:
        _add_others(found, document)
    know(crm.name, secrets_in(found.values, os.environ))
    return found


def _add_section(found: Found, document: Document, section: str) -> None:
    """Adds the settings of `sources.<section>`."""
    for key, value in _table(_table(document.tree, SOURCES), section).items():
        name = key.lower()
        if name not in CrmSettings.model_fields or is_about_deployment(name):
            found.errors.append(_unknown(f"{SOURCES}__{section}__{key}", document, section))
        elif section == found.crm.section or name not in OWN:
            found.add(name, value, document, section)


def _add_others(found: Found, document: Document) -> None:
    """Adds the settings about this machine, and the key by its second name."""
    for key, value in document.tree.items():
        name = key.lower().removeprefix(DEPLOYMENT_PREFIX)
        if name != key.lower() and is_about_deployment(name):
            found.add(name, value, document, found.crm.section)
        elif name != key.lower():
            found.unknown.append(_unknown(key, document))
        elif name == PLAIN_KEY and not found.crm.name and not isinstance(value, Mapping):
            found.add(name, value, document)


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table within another; empty if there is none."""
    table = tree.get(name)
    return table if isinstance(table, Mapping) else {}


def _unknown(variable: str, document: Document, section: str = SECTION) -> str:
    """A message about an unknown name, with the most similar name."""
    names = [setting_name(name, section) for name in CrmSettings.model_fields]
    [closest] = get_close_matches(variable.upper(), names, n=1, cutoff=0)
    shown = (variable.upper(), closest) if document.has_variables else (toml_name(variable), toml_name(closest))
    return f"Unknown setting {shown[0]} in {document.origin}. Did you mean {shown[1]}?"
