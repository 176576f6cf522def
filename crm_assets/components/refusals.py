"""Why definitions cannot be loaded, in a line for each error: Dagster has a traceback, and a picture of all files."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from crm_assets.components.crm import CrmComponent
from crm_assets.errors import CrmAssetsError, SettingsError
from crm_assets.yaml_files import line_of, read_yaml

TYPE = "crm_assets.components.CrmComponent"


def refuse(error: Exception, folder: Path) -> None:
    """Raises the error that is to be shown in place of Dagster's, if one is known.

    Raises:
        CrmAssetsError: The cause.
        SettingsError: A `defs.yaml` below the folder is wrong.
    """
    root: BaseException = error
    while root.__cause__:
        root = root.__cause__
    if isinstance(root, CrmAssetsError):
        raise root.with_traceback(None) from None
    named: dict[str, str] = {}
    if problems := [problem for path in sorted(folder.rglob("defs.y*ml")) for problem in _wrong(path, named)]:
        raise SettingsError("\n".join(problems)) from None


def _wrong(path: Path, named: dict[str, str]) -> Iterator[str]:
    """What is wrong in a file. `named`: name of a CRM -> the line that has it, in the files before."""
    if b"\n---\n" in path.read_bytes():
        return  # there are several components, whose errors Dagster shows
    document = read_yaml(path, SettingsError)
    kind = document.get("type") if isinstance(document, dict) else None
    if kind is None or (str(kind).startswith("crm_assets.") and kind != TYPE):
        yield f"{path}:{line_of(document, 'type')}: type is {kind or 'missing'}: write {TYPE}"
    elif misplaced := [key for key in document if key in CrmComponent.model_fields]:
        yield f"{path}:{line_of(document, misplaced[0])}: {misplaced[0]}: write it below attributes, and indent it"
    elif kind == TYPE:
        attributes, line = document.get("attributes") or {}, line_of(document, "attributes")
        try:
            name = CrmComponent.model_validate(attributes).name
            at = f"{path}:{line_of(attributes, 'name', line)}"
            if named.setdefault(name, at) != at:
                yield f"{at}: name: {named[name]} has the same, {name!r}. Give each CRM its own; one may have none"
        except ValidationError as error:
            for detail in error.errors():
                if "{{" in str(detail["input"]):  # Dagster replaces it
                    continue
                where = list(dict.fromkeys(map(str, detail["loc"]))) or ["attributes"]
                reason = detail["msg"].removeprefix("Value error, ")
                if detail["type"] == "extra_forbidden":
                    reason = f"there are only {', '.join(CrmComponent.model_fields)}"
                yield f"{path}:{line_of(attributes, where[0], line)}: {'.'.join(where)}: {reason}"
