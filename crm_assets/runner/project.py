"""Reads a dbt project: its settings, macros, properties files and sources, and what its templates can use."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from crm_assets.errors import ModelsRefused
from crm_assets.runner.properties import FOR_DBT, read_properties, refuse_wrong
from crm_assets.runner.templates import Relation, Scope, Templates, refuse, text_of
from crm_assets.yaml_files import line_of

DBT_DIR = Path(__file__).resolve().parent.parent / "dbt"
MACROS = Path(__file__).parent / "macros"

FOLDERS: Mapping[str, tuple[str, str]] = {
    "seeds": ("seeds", ".csv"),
    "models": ("models", ".sql"),
    "snapshots": ("snapshots", ".sql"),
    "data_tests": ("tests", ".sql"),
}
"""Kind of node, as YAML names it -> its folder, and the suffix of its files."""

GENERIC = "tests/generic"

NOT_CALLED = frozenset({"ref", "source", "get_where_subquery"})
"""Macros of dbt that projects may replace, and that do their work in Python here."""

SNAPSHOT = re.compile(r"\{%-?\s*snapshot\s+(\w+)")


@dataclass(frozen=True, eq=False, repr=False)
class Node:
    """A file of the project with its entry in YAML, if it has one.

    Attributes:
        project: The project.
        resource_type: One of `FOLDERS`.
        stem: Its name, by which others refer to it.
        path: The file; for a snapshot that has none, the YAML.
        text: Its template; empty for a seed.
        config: The configuration of `dbt_project.yml`, of its entry and of its own `config()`.
        properties: Its entry.
        properties_path: The file of the entry; `path` without one.
    """

    project: "Project"
    resource_type: str
    stem: str
    path: Path
    text: str
    config: Mapping[str, Any]
    properties: Mapping[str, Any]
    properties_path: Path

    @cached_property
    def schema(self) -> str:
        """The schema of its table, by the macro that says so."""
        return self.named_by("generate_schema_name", "schema")

    def named_by(self, macro: str, key: str) -> str:
        """A name, as a macro makes it of a value of the configuration."""
        kind = self.resource_type.removesuffix("s")
        node = {"name": self.stem, "resource_type": kind, "config": self.config, "version": None}
        call = f"{{{{ {macro}(given, node) }}}}"
        return self.project.plain.render(self.path, call, given=self.config.get(key), node=node).strip()

    def described(self, entry: Mapping[str, Any]) -> str:
        """The description in an entry of YAML, with what `doc()` stands for."""
        return self.project.plain.render(self.properties_path, str(entry.get("description") or ""), line_of(entry))


class Config(dict[str, Any]):
    """`config` in a template: takes values when it is called. `given`: those."""

    def __init__(self, configured: Mapping[str, Any]) -> None:
        super().__init__(configured)
        self.given: dict[str, Any] = {}

    def __call__(self, *given: Mapping[str, Any], **more: Any) -> str:
        """Takes values."""
        for mapping in (*given, more):
            self.given.update(mapping)
            self.update({**mapping, **self})  # when the SQL is rendered, it has them already, merged
        return ""

    def get(self, key: str, default: Any = None) -> Any:
        """A value. Unlike that of a dict, the default may be named, as in dbt's documentation."""
        return super().get(key, default)


class Project:
    """A folder with a `dbt_project.yml`.

    Attributes:
        name: Its name.
        sources: Source and table -> where it is.
        nodes: Models, seeds, snapshots and tests of files of their own.
        templates: What renders them.
        plain: What templates outside of nodes can use.
    """

    def __init__(self, folder: Path) -> None:
        """Reads the project.

        Raises:
            ModelsRefused: Something in it is wrong, or not supported.
        """
        self._folder, self.templates = folder, Templates()
        settings = folder / "dbt_project.yml"
        self._settings = read_properties(settings, settings.name)
        for path in (folder / "packages.yml", folder / "dependencies.yml", *self._files(".py", "models")):
            if path.exists():
                raise ModelsRefused(f"{path}:1: packages and Python models are not supported: write SQL, or {FOR_DBT}")
        self._places: dict[tuple[str, ...], str | Path] = {("macro", name): "dbt" for name in NOT_CALLED}
        folders = [folder for folder, _ in FOLDERS.values()]
        for path in sorted(MACROS.glob("*.sql")):
            self.templates.add_macros(path)  # they may be replaced
        for path in [*self._files(".sql", "macros", GENERIC), *self._files(".md", *folders, "macros")]:
            for macro in self.templates.add_macros(path):
                self._claim(path, macro.lineno, "macro", macro.name)
        self.name = self._settings.get("name")
        if not self.name:
            raise ModelsRefused(f"{settings}:1: the file has no name: add the project's name")
        variables = self._settings.get("vars") or {}
        own = variables.get(self.name)
        self._variables = {**variables, **(own if isinstance(own, dict) else {})}
        self.plain = self.scope({})
        self._settings_scope = self.scope({"var": self._settings_var})
        self._entries: dict[tuple[str, str], tuple[Path, Mapping[str, Any]]] = {}
        self.sources: dict[tuple[str, ...], Relation] = {}
        for path in [*self._files(".yml", *folders), *self._files(".yaml", *folders)]:
            self._read_entries(path)
        self.nodes: dict[str, Node] = {}
        for node in self._nodes():
            self._claim(node.path, 1, "name", node.stem)
            self.nodes[node.stem] = node

    def scope(self, names: Mapping[str, Any], variables: Mapping[str, Any] | None = None) -> Scope:
        """What a template can use: variables, macros, and these names."""
        known = {**self._variables, **(variables or {})}

        def var(name: str, *default: Any) -> Any:
            if name not in known and not default:
                refuse(f"there is no variable {name}: correct the name, or add it to vars")
            return known.get(name, *default)

        return self.templates.scope({"var": var, "doc": self._doc, "execute": variables is not None, **names})

    def _settings_var(self, name: str, *default: Any) -> Any:
        """`var` in `dbt_project.yml`, in which dbt knows those of `--vars` alone, and otherwise takes the default."""
        if name in self._variables or not default:
            refuse(f"vars of dbt_project.yml cannot be used in it, as in dbt: write the value of {name}")
        return default[0]

    def _claim(self, path: Path, line: int, *name: str) -> None:
        """Refuses a second macro, entry or file of one name."""
        if name in self._places:
            at = f"{path}:{line}"
            raise ModelsRefused(f"{at}: {' '.join(name)} is also in {self._places[name]}: rename or remove one of them")
        self._places[name] = path

    def _doc(self, *names: str) -> str:
        """A docs block, by its name or by the project's and its name."""
        block = self.plain.get(f"docs_{names[-1]}")
        if block is None or names[:-1] not in {(), (self.name,)}:
            refuse(f"there is no docs block {'.'.join(names)}: correct the name, or add it")
        return str(block()).strip()

    def config(self, kind: str, path: Path, name: str) -> dict[str, Any]:
        """What `dbt_project.yml` configures for a file."""
        level = self._settings.get(kind) or (self._settings.get("tests") if kind == "data_tests" else None) or {}
        configured: dict[str, Any] = {}
        folders = path.relative_to(self._folder).with_suffix("").parts[1:-1]
        for part in (None, self.name, *folders, name):
            level = (level.get(part) if part else level) or {}
            given = {k.removeprefix("+"): v for k, v in level.items() if k[0] == "+" or not isinstance(v, dict)}
            _configure(configured, self._settings_scope.value(self._folder / "dbt_project.yml", given, line_of(level)))
        return configured

    def _files(self, suffix: str, *folders: str) -> list[Path]:
        found = [path for folder in folders for path in sorted((self._folder / folder).rglob("*"))]
        # As dbt: editors and macOS have files with such names beside others, Emacs a link to nowhere.
        return [
            path for path in found if path.suffix.lower() == suffix and path.name[0] not in ".#~" and path.is_file()
        ]

    def _read_entries(self, path: Path) -> None:
        document = read_properties(path, "file")
        for kind in FOLDERS:
            for entry in document.get(kind) or []:
                self._claim(path, line_of(entry), kind, entry["name"])
                self._entries[kind, entry["name"]] = (path, entry)
        for source in document.get("sources") or []:
            if "external_location" in str(source):
                at = f"{path}:{line_of(source)}: {source['name']}"
                raise ModelsRefused(f"{at}: external_location cannot be used: read the file in a model")
            for table in source.get("tables") or []:
                line, key = line_of(table), (source["name"], table["name"])
                self._claim(path, line, "source", *key)
                place = [source.get("schema", source["name"]), table.get("identifier", table["name"])]
                self.sources[key] = Relation(*map(str, self.plain.value(path, place, line)))

    def _nodes(self) -> Iterator[Node]:
        unused = dict(self._entries)
        for kind, (folder, suffix) in FOLDERS.items():
            for path in self._files(suffix, folder):
                if path.is_relative_to(self._folder / GENERIC):
                    continue
                unused.pop((kind, path.stem), None)
                text = "" if kind == "seeds" else text_of(path)
                for name in SNAPSHOT.findall(text):
                    if name != path.stem:
                        raise ModelsRefused(f"{path}:1: move snapshot {name} to a file {name}.sql")
                yield self._node(kind, path.stem, path, text)
        for (kind, name), (path, entry) in unused.items():
            if kind != "snapshots" or not entry.get("relation"):
                remedy = f"add the file{', write relation in it' if kind == 'snapshots' else ''} or remove the entry"
                raise ModelsRefused(f"{path}:{line_of(entry)}: {name} has no {name}{FOLDERS[kind][1]}: {remedy}")
            yield self._node(kind, name, path, f"select * from {{{{ {entry['relation']} }}}}")

    def _node(self, kind: str, name: str, path: Path, text: str) -> Node:
        properties_path, entry = self._entries.get((kind, name), (path, {}))
        config = self.config(kind, path, name)
        written = {key: entry[key] for key in ("meta", "tags") if key in entry} | (entry.get("config") or {})
        _configure(config, self.plain.value(properties_path, written, line_of(entry)))
        refuse_wrong(config, "config", properties_path, line_of(entry), name)
        own = Config(config)
        try:
            self.scope(_configuring(own)).render(path, text)
        except ModelsRefused:
            if {**config, **own.given}.get("enabled", True):
                raise
        line = text.count("\n", 0, max(text.find("config"), 0)) + 1
        refuse_wrong(own.given, "config", path, line, name)
        return Node(self, kind, name, path, text, _configure(config, own.given), entry, properties_path)


def _configure(configured: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Adds values: tags, meta and types to those that are there, others in their place."""
    for key, value in more.items():
        earlier = configured.get(key)
        if key == "tags":
            configured[key] = [*(earlier or []), *([value] if isinstance(value, str) else value or [])]
        elif key in {"meta", "column_types"}:
            configured[key] = {**(earlier or {}), **(value or {})}
        else:
            configured[key] = value
    return configured


def _configuring(config: Config) -> Mapping[str, Any]:
    """What a template can use that is rendered for its configuration alone."""
    return {"ref": _anything, "source": _anything, "this": _anything(), "is_incremental": bool, "config": config}


def _anything(*_: Any, **__: Any) -> Relation:
    return Relation("any", "table")
