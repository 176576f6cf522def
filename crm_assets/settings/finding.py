"""Finds every setting's value, from the place with the highest precedence, and unknown names."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from crm_assets.masking import know
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.crms import ONLY, Crm
from crm_assets.settings.documents import BESIDE, Document, documents
from crm_assets.settings.endpoints import EndpointSettings
from crm_assets.settings.names import (
    DEPLOYMENT_PREFIX,
    PLAIN_KEY,
    RENAMED,
    SECTION,
    SOURCES,
    full_name,
    is_about_deployment,
    section_prefix,
    setting_name,
    toml_name,
)
from crm_assets.settings.secrets import secrets_in


@dataclass
class Found:
    """The values of all places, combined.

    Attributes:
        crm: The CRM that the settings are of.
        values: Setting -> value as it was given.
        places: Setting -> where it was given: files, or the environment. Merged tables have several places.
        unreadable: Messages about files that could not be read.
        errors: Messages about unknown names in the section, and about secrets in the wrong place.
        unknown: Messages about other variables that look like settings but may belong to another program.
        defaults: Settings whose value is in the section `sources.crm`, which has the defaults of CRMs with a name.
    """

    crm: Crm = ONLY
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    defaults: set[str] = field(default_factory=set)

    def section(self, name: str) -> str:
        """The section that a setting's value is from."""
        return SECTION if name in self.defaults else self.crm.section

    def add(self, name: str, value: Any, document: Document) -> None:
        """Adds a value unless there is one from a place with higher precedence. Tables are merged."""
        if value is None or value == "":
            return
        if name in SECRETS and not document.may_hold_secrets:
            self.errors.append(
                f"{full_name(name, self.section(name))} is a secret and must not be in {document.place}. "
                "Move it to secrets.toml in the same folder, to .env, or into the environment"
            )
        if name in PLACES and not NO_RELATIVE_PATH.match(str(value)):
            value = str(document.folder / str(value))
        elif name == "endpoints":
            value = _tables(value)
        earlier = self.values.setdefault(name, value)
        if earlier is not value:
            if not isinstance(earlier, Mapping) or not isinstance(value, Mapping):
                return
            self.values[name] = _put_together(earlier, value)
        self.places.setdefault(name, []).append(document.place)


SECRETS = frozenset(
    name for name, setting in CrmSettings.model_fields.items() if "SecretStr" in str(setting.annotation)
)
"""Settings whose values are never shown."""

PLACES = frozenset({"data_dir", "warehouse", "warehouse_files"})
"""Settings that may be paths. In a file they are relative to its folder."""

OWN = frozenset({"base_url", "api_key"})
"""Settings that each CRM has for itself, without a default."""

NO_RELATIVE_PATH = re.compile(r"~|\w{2,}:")
"""The start of a path in the user's home, or of an address."""


def find(crm: Crm = ONLY) -> Found:
    """Reads all places, for one CRM. Settings of `sources.crm` are the defaults of a CRM with a name."""
    found = Found(crm)
    places = list(documents())
    if crm.name:
        for document in places:
            _add_section(found, document, crm.section)
    for document in places:
        if document.problem:
            found.unreadable.append(document.problem)
        _add_section(found, document, SECTION)
        _add_deployment(found, document)
    if not crm.name:
        for document in places:
            for key, value in document.tree.items():
                if key.upper() == PLAIN_KEY:
                    # API_KEY__X is a variable of another program.
                    found.add("api_key", value.get(BESIDE) if isinstance(value, Mapping) else value, document)
    know(crm.name, secrets_in(found.values, os.environ))
    return found


def _add_deployment(found: Found, document: Document) -> None:
    """Adds the settings about this machine."""
    for key, value in document.tree.items():
        prefix, name = key[: len(DEPLOYMENT_PREFIX)].upper(), key[len(DEPLOYMENT_PREFIX) :].lower()
        if prefix == DEPLOYMENT_PREFIX and is_about_deployment(name):
            found.add(name, value, document)
        elif prefix == DEPLOYMENT_PREFIX:
            sentences = found.errors if key.upper() in RENAMED else found.unknown
            sentences.append(_unknown(key.upper(), document))


def _add_section(found: Found, document: Document, section: str) -> None:
    """Adds the settings of `sources.<section>`. As defaults of another CRM, those of `OWN` are left out."""
    is_default = section != found.crm.section
    for key, value in _section(document.tree, (SOURCES, section)).items():
        name = key.lower()
        if name not in CrmSettings.model_fields or is_about_deployment(name):
            found.errors.append(_unknown(f"{section_prefix(section)}{key.upper()}", document, section))
        elif not (is_default and name in OWN):
            if is_default and name not in found.values:
                found.defaults.add(name)
            found.add(name, value, document)
            found.errors += _cut_short(name, value, document, section)


def _section(tree: Mapping[str, Any], tables: Iterable[str]) -> Mapping[str, Any]:
    for table in tables:
        inner = tree.get(table)
        tree = inner if isinstance(inner, Mapping) else {}
    return tree


def _unknown(variable: str, document: Document, section: str = SECTION) -> str:
    """A message about an unknown name, with its new or the most similar name."""
    if variable in RENAMED:
        return (
            f"{variable} in {document.place} is not a setting any more. Set {RENAMED[variable]} instead; to move the "
            "tables of a file into a lake, run python -m crm_assets move-to-lake"
        )

    def likeness(name: str) -> float:
        bare = variable.removeprefix(section_prefix(section)).removeprefix(DEPLOYMENT_PREFIX)
        pairs = ((variable, setting_name(name, section)), (bare, name.upper()))
        return sum(SequenceMatcher(None, *pair).ratio() for pair in pairs)

    closest = setting_name(max(CrmSettings.model_fields, key=likeness), section)
    if document.has_variables:
        return f"Unknown setting {variable} in {document.place}. Did you mean {closest}?"
    return f"Unknown setting {toml_name(variable)} in {document.place}. Did you mean {toml_name(closest)}?"


def _cut_short(name: str, value: Any, document: Document, section: str) -> list[str]:
    """Messages about variables that name a resource but none of its settings."""
    if name != "endpoints" or not document.has_variables or not isinstance(value, Mapping):
        return []
    return [
        f"Unknown setting {setting_name(name, section)}__{resource.upper()} in {document.place}. Add the setting of "
        f"{resource} to the name: {' or '.join(f'__{of_it.upper()}' for of_it in EndpointSettings.model_fields)}"
        for resource, of_it in value.items()
        if resource != BESIDE and not isinstance(of_it, Mapping)
    ]


def _tables(value: Any) -> Any:
    """Endpoints as tables. They may be given as JSON, as variables for single values, or as both."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value  # reported by the validation
    if isinstance(value, Mapping) and BESIDE in value:
        beside = _tables(value[BESIDE])
        others = {key: of_it for key, of_it in value.items() if key != BESIDE}
        return _put_together(others, beside) if isinstance(beside, Mapping) else beside
    return value


def _put_together(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables merged. Values of `first` take precedence."""
    both = {
        key: _put_together(value, second[key])
        for key, value in first.items()
        if isinstance(value, Mapping) and isinstance(second.get(key), Mapping)
    }
    return {**second, **first, **both}
