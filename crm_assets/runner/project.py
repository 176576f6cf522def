"""Reads a dbt project: its settings, macros, properties files and sources, and what its templates can use."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from crm_assets.errors import ModelsRefused
from crm_assets.runner.properties import FOR_DBT, read_properties
from crm_assets.runner.templates import Relation, Scope, Templates, refuse
from crm_assets.yaml_files import line_of, read_yaml

DBT_DIR = Path(__file__).resolve().parent.parent / "dbt"
MACROS = Path(__file__).parent / "macros"

FOLDERS: Mapping[str, tuple[str, str]] = {
    "seeds": ("seeds", ".csv"),
    "models": ("models", ".sql"),
    "snapshots": ("snapshots", ".sql"),
    "data_tests": ("tests", ".sql"),
}
"""Kind of node, as YAML names it -> its folder, and the suffix of its files."""

DOCS = re.compile(r"\{%-?\s*docs\s+(\w+)\s*-?%\}(.*?)\{%-?\s*enddocs\s*-?%\}", re.DOTALL)
REFUSED = ("on-run-start", "on-run-end", "dispatch", "model-paths", "seed-paths", "snapshot-paths", "test-paths")


class File(NamedTuple):
    """A file of the project with its entry in YAML, if it has one.

    Attributes:
        kind: One of `FOLDERS`.
        name: Its name, by which others refer to it.
        path: The file; for a snapshot that has none, the YAML.
        text: Its template; empty for a seed.
        config: The configuration of `dbt_project.yml`, of its entry and of its own `config()`.
        properties: Its entry.
        properties_path: The file of the entry.
    """

    kind: str
    name: str
    path: Path
    text: str
    config: Mapping[str, Any]
    properties: Mapping[str, Any]
    properties_path: Path | None


class Config(dict[str, Any]):
    """`config` in a template: takes values when it is called."""

    require = dict[str, Any].get

    def __call__(self, *given: Mapping[str, Any], **more: Any) -> str:
        """Takes values."""
        for mapping in (*given, more):
            self.update(mapping)
        return ""


class Project:
    """A folder with a `dbt_project.yml`.

    Attributes:
        folder: The folder.
        sources: Source and table -> where it is.
        files: Models, seeds, snapshots and tests of files of their own.
        templates: What renders them.
    """

    def __init__(self, folder: Path) -> None:
        """Reads the project.

        Raises:
            ModelsRefused: Something in it is wrong, or not supported.
        """
        self.folder, self.templates = folder, Templates()
        self._settings = read_yaml(folder / "dbt_project.yml", ModelsRefused)
        self._refuse_others()
        for path in [*sorted(MACROS.glob("*.sql")), *self._files(".sql", "macros", "tests/generic")]:
            self.templates.add_macros(path)
        self._name = self._settings["name"]
        variables = self._settings.get("vars") or {}
        self._variables = {**variables, **(variables.get(self._name) or {})}
        texts = [path.read_text(encoding="utf-8") for path in self._files(".md", "models", "snapshots")]
        self._docs = {name: text.strip() for written in texts for name, text in DOCS.findall(written)}
        self._plain = self.scope({})
        self._entries: dict[tuple[str, str], tuple[Path, Mapping[str, Any]]] = {}
        self.sources: dict[tuple[str, ...], Relation] = {}
        for suffix in (".yml", ".yaml"):
            for path in self._files(suffix, "seeds", "models", "snapshots", "tests"):
                self._read_entries(path)
        self.files = list(self._nodes())
        paths: dict[str, Path] = {}
        for file in self.files:
            if (other := paths.setdefault(file.name, file.path)) != file.path:
                raise ModelsRefused(f"{file.path}:1: the name {file.name} is that of {other}: rename one of them")

    def scope(self, names: Mapping[str, Any], variables: Mapping[str, Any] | None = None) -> Scope:
        """What a template can use: variables, macros, and these names."""
        known_variables = {**self._variables, **(variables or {})}
        known = {"var": ("variable", known_variables), "doc": ("docs block", self._docs)}
        functions = {name: partial(_looked_up, *values) for name, values in known.items()}
        return self.templates.scope({**functions, "execute": variables is not None, **names})

    def config(self, kind: str, path: Path, name: str) -> dict[str, Any]:
        """What `dbt_project.yml` configures for a file."""
        level = (self._settings.get(kind) or {}).get(self._name) or {}
        configured: dict[str, Any] = {}
        for part in ("", *path.relative_to(self.folder).with_suffix("").parts[1:-1], name):
            level = (level.get(part) if part else level) or {}
            given = {k.removeprefix("+"): v for k, v in level.items() if k[0] == "+" or not isinstance(v, dict)}
            _configure(configured, self.templates.value(self.folder / "dbt_project.yml", given, self._plain))
        return configured

    def schema(self, file: File) -> str:
        """The schema of a file's table, by the macro that says so."""
        node = {"name": file.name, "resource_type": file.kind.removesuffix("s"), "config": file.config}
        return str(self._plain["generate_schema_name"](file.config.get("schema"), node)).strip()

    def text(self, file: File, written: Any) -> str:
        """A description, with what `doc()` stands for."""
        return str(self.templates.value(file.properties_path or file.path, written or "", self._plain))

    def _refuse_others(self) -> None:
        for key in REFUSED:
            if key in self._settings:
                at = f"{self.folder / 'dbt_project.yml'}:{line_of(self._settings, key)}"
                raise ModelsRefused(f"{at}: {key} is not supported: remove it, or {FOR_DBT}")
        others = [self.folder / "packages.yml", self.folder / "dependencies.yml", *self._files(".py", "models")]
        for path in [path for path in others if path.exists()]:
            raise ModelsRefused(f"{path}:1: packages and Python models are not supported: write SQL, or {FOR_DBT}")

    def _files(self, suffix: str, *folders: str) -> list[Path]:
        return [path for folder in folders for path in sorted((self.folder / folder).rglob(f"*{suffix}"))]

    def _read_entries(self, path: Path) -> None:
        document = read_properties(path)
        for kind in FOLDERS:
            for entry in document.get(kind) or []:
                key = (kind, entry["name"])
                if key in self._entries:
                    other = self._entries[key][0].name
                    at = f"{path}:{line_of(entry)}"
                    raise ModelsRefused(f"{at}: {key[1]} is already listed in {other}: keep one entry")
                self._entries[key] = (path, entry)
        for source in document.get("sources") or []:
            for table in source.get("tables") or []:
                relation = Relation(source.get("schema", source["name"]), table.get("identifier", table["name"]))
                self.sources[source["name"], table["name"]] = relation

    def _nodes(self) -> Iterator[File]:
        unused = dict(self._entries)
        for kind, (folder, suffix) in FOLDERS.items():
            for path in self._files(suffix, folder):
                if path.parent.name == "generic" and kind == "data_tests":
                    continue
                unused.pop((kind, path.stem), None)
                text = "" if suffix == ".csv" else path.read_text(encoding="utf-8")
                yield self._node(kind, path.stem, path, text)
        for (kind, name), (path, entry) in unused.items():
            if kind != "snapshots" or not entry.get("relation"):
                also = ", write relation: ref('…') in it" if kind == "snapshots" else ""
                raise ModelsRefused(
                    f"{path}:{line_of(entry)}: {name} has no {name}{FOLDERS[kind][1]}: add the file{also} or remove "
                    "the entry"
                )
            yield self._node(kind, name, path, f"select * from {{{{ {entry['relation']} }}}}")

    def _node(self, kind: str, name: str, path: Path, text: str) -> File:
        properties_path, entry = self._entries.get((kind, name), (None, {}))
        config = self.config(kind, path, name)
        if entry:
            written = {key: entry[key] for key in ("meta", "tags") if key in entry} | (entry.get("config") or {})
            _configure(config, self.templates.value(properties_path or path, written, self._plain, line_of(entry)))
        own = Config()
        if "config(" in text:
            names = {"ref": _anything, "source": _anything, "this": _anything(), "is_incremental": bool, "config": own}
            self.templates.render(path, text, self.scope(names))
        return File(kind, name, path, text, _configure(config, own), entry, properties_path)


def _configure(configured: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Adds values: tags and meta to those that are there, others in their place."""
    for key, value in more.items():
        if key == "tags":
            configured[key] = [*configured.get(key, []), *([value] if isinstance(value, str) else value or [])]
        else:
            configured[key] = {**configured.get(key, {}), **(value or {})} if key == "meta" else value
    return configured


def _looked_up(what: str, known: Mapping[str, Any], name: str, default: Any = None) -> Any:
    value = known.get(name, default)
    return refuse(f"there is no {what} {name}: correct the name, or add it") if value is None else value


def _anything(*_: Any, **__: Any) -> Relation:
    return Relation("any", "table")
