"""The YAML file of a resource's columns is checked where it is read: errors have file, line, and what to write."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import pytest

from crm_assets.api import ENDPOINTS, OWN_TABLES, Endpoint, check_lists
from crm_assets.errors import SchemaRefused
from crm_assets.source import schemas
from crm_assets.source.schemas import Column, resource_schema, side_loaded, side_loaded_columns
from crm_assets.source.typing.columns import TYPES

NOTES = """\
description: Notes, one row each.
columns:
  id:
    data_type: bigint
    description: Primary key.
  text:
    data_type: text
    description: The note.
    personal: true
  links:
    data_type: json
    description: What it belongs to.
    fields: [id, type]
  updated_at:
    data_type: timestamp
    description: When it was last changed.
never_stored:
  token: Holds a token.
"""
ATTRIBUTES = "data_type, description, nullable, personal, fields"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that schemas are read from; nothing that was read before is remembered."""
    monkeypatch.setattr(schemas, "SCHEMAS_DIR", tmp_path)
    forget_schemas()
    yield tmp_path
    monkeypatch.undo()
    forget_schemas()


def forget_schemas() -> None:
    """Lets all files be read again."""
    resource_schema.cache_clear()
    side_loaded_columns.cache_clear()
    side_loaded.cache_clear()


def test_schema_is_read_as_it_is_written(folder: Path) -> None:
    (folder / "notes.yaml").write_text(NOTES, encoding="utf-8")
    schema = resource_schema("notes")
    assert (schema.description, [*schema.columns]) == ("Notes, one row each.", ["id", "text", "links", "updated_at"])
    assert (schema.columns["text"].personal, schema.columns["links"].fields) == (True, ("id", "type"))
    assert (schema.never_stored, schema.has_updated_at) == ({"token": "Holds a token."}, True)


@pytest.mark.parametrize(
    ("written", "instead", "line", "reason"),
    [
        (
            "data_type: text",
            "data_type: int",
            7,
            "columns.text.data_type is 'int': it must be 'text', 'bigint', 'decimal', 'double', 'timestamp', 'date'",
        ),
        ("data_type: text", "data_typ: text", 7, f"columns.text.data_typ cannot be used: use one of {ATTRIBUTES}"),
        ("data_type: text", "data_typ: text", 6, "columns.text.data_type is missing: add it"),
        ("personal: true", "personal: maybe", 9, "columns.text.personal is 'maybe': it must be a valid boolean"),
        ("personal: true", "nullable: false", 9, "columns.text.nullable is False: leave it out: records may lack any"),
        ("    description: The note.\n", "", 6, "columns.text.description is missing: add it"),
        ("description: The note.", "description: ' '", 8, "columns.text.description is ' ': String should have at"),
        ("fields: [id, type]", "fields: id", 13, "columns.links.fields is 'id': it must be a valid tuple"),
        (
            "fields: [id, type]",
            "fields:\n    - id\n    - 7",
            15,
            "columns.links.fields.1 is 7: it must be a valid string",
        ),
        ("fields: [id, type]", "fields: !Set [id]", 13, "this is not valid YAML: the tag !Set is unknown"),
        ("  text:\n", "  text: !Column\n", 6, "this is not valid YAML: the tag !Column is unknown"),
        ("description: Notes, one row each.\n", "", 1, "description is missing: add it"),
        ("never_stored:", "never_store:", 17, "never_store cannot be used: use one of columns, description, never_sto"),
        ("columns:", "column:", 1, "columns is missing: add it"),
        ("  id:", "  id_:", 2, "columns.id: it is missing: add it, with data_type bigint"),
        ("data_type: bigint", "data_type: text", 4, "columns.id.data_type is 'text': it must be 'bigint'"),
        ("data_type: timestamp", "data_type: date", 15, "columns.updated_at.data_type is 'date': it must be"),
        ("  token:", "  text:", 18, "never_stored.text is 'Holds a token.': it is in columns, too: keep one of them"),
        ("  text:\n", "  links:\n", 10, "this is not valid YAML: links is there twice"),
        ("    personal: true", "    data_type: date", 9, "this is not valid YAML: data_type is there twice"),
        ("description: The note.", "description: A note: of a person", 8, "this is not valid YAML: mapping values are"),
        ("  text:\n", "  [text]:\n", 6, "this is not valid YAML: a key is not a text: quote it"),
        ("  text:\n", "  leadText:\n", 6, "columns.leadText: a column cannot have this name: use lead_text"),
        ("  text:\n", "  Id:\n", 6, "columns.Id: a column cannot have this name: use id"),
        ("  text:\n", "  _dlt_id:\n", 6, "columns._dlt_id: a column cannot have this name: use another name"),
        ("  text:\n", "  links__v_text:\n", 6, "columns.links__v_text: a column cannot have this name: use another"),
        ("  text:\n", "  yes:\n", 6, "a key of columns is not a text: quote it"),
        ("  text:\n", "  ~:\n", 6, "a key of columns is not a text: quote it"),
        ("  text:\n", "  2024-01-01:\n", 6, "a key of columns is not a text: quote it"),
        ("  text:\n", "  '':\n", 6, "columns.: a column cannot have this name: use another name"),
        (
            "  token:",
            "  accessToken:",
            18,
            "never_stored.accessToken is 'Holds a token.': a column cannot have this nam",
        ),
        ("  token:", "  Text:", 18, "never_stored.Text is 'Holds a token.': a column cannot have this name: use text"),
        ("Primary key.", "A key.\n    personal: true", 6, "columns.id.personal is True: leave it out: nothing"),
        ("When it", "When it\n    personal: true #", 17, "columns.updated_at.personal is True: leave it out: not"),
        ("  token: Holds a token.", "- token", 17, "never_stored has no keys: write keys and values below it"),
    ],
)
def test_wrong_schema_is_refused_with_its_line(
    folder: Path, written: str, instead: str, line: int, reason: str
) -> None:
    assert written in NOTES
    (folder / "notes.yaml").write_text(NOTES.replace(written, instead, 1), encoding="utf-8")
    with pytest.raises(SchemaRefused) as raised:
        resource_schema("notes")
    assert any(message.startswith(f"{folder}/notes.yaml:{line}: {reason}") for message in str(raised.value).split("\n"))


def test_every_error_of_a_schema_is_named_in_order(folder: Path) -> None:
    wrong = NOTES.replace("text\n", "txt\n").replace("timestamp", "instant").replace("Primary key.", "")
    (folder / "notes.yaml").write_text(wrong, encoding="utf-8")
    with pytest.raises(SchemaRefused) as raised:
        resource_schema("notes")
    lines = [message.removeprefix(f"{folder}/notes.yaml:").split(":")[0] for message in str(raised.value).split("\n")]
    assert lines == ["5", "7", "15"]


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "just a text\n", "[a, b]\n"])
def test_file_without_a_schema_is_refused(folder: Path, content: str) -> None:
    (folder / "notes.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(SchemaRefused, match=rf"^{folder}/notes.yaml:1: "):
        resource_schema("notes")


def test_folder_is_no_schema(folder: Path) -> None:
    (folder / "notes.yaml").mkdir()
    with pytest.raises(SchemaRefused, match=rf"^{folder}/notes.yaml is missing: create it"):
        resource_schema("notes")


def test_file_of_other_bytes_is_refused(folder: Path) -> None:
    (folder / "notes.yaml").write_bytes(NOTES.replace("note", "n\xf6te").encode("latin-1"))
    with pytest.raises(SchemaRefused, match=rf"^{folder}/notes.yaml:8: this is not valid YAML: "):
        resource_schema("notes")


def test_missing_file_is_named_with_what_to_write(folder: Path) -> None:
    with pytest.raises(SchemaRefused, match=rf"^{folder}/notes.yaml is missing: create it, with a description and"):
        resource_schema("notes")


def test_wrong_schema_of_side_loaded_records_is_refused(folder: Path) -> None:
    users = "users:\n  id: {data_type: number, description: The id.}\n"
    (folder / "side_loaded.yaml").write_text(users, encoding="utf-8")
    with pytest.raises(SchemaRefused, match=r"side_loaded.yaml:2: users.id.data_type is 'number': it must be "):
        side_loaded_columns("users")


def test_a_column_may_have_every_type_that_values_can_have() -> None:
    assert set(get_args(Column.model_fields["data_type"].annotation)) == TYPES.keys()


def test_every_declared_file_is_read() -> None:
    read = {*ENDPOINTS, *(["side_loaded"] if side_loaded() else [])}
    assert {path.stem for path in schemas.SCHEMAS_DIR.iterdir()} == read
    for resource in ENDPOINTS:
        assert resource_schema(resource).has_updated_at


def test_lists_with_one_path_and_data_selector_are_refused() -> None:
    deals, lost = Endpoint("/v1/deals", "deals"), Endpoint("/v1/lost_deals", "deals")
    check_lists({"deals": deals, "lost": lost})
    with pytest.raises(SchemaRefused, match="deals and lost in api.py are the same list: both read deals of /v1/"):
        check_lists({"deals": deals, "accounts": ENDPOINTS["accounts"], "lost": replace(lost, path="/v1/deals")})


def test_side_loads_have_the_fields_of_all_lists_so_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = {"notes": Endpoint("/v1/notes", "notes"), "old_notes": Endpoint("/v1/old_notes", "notes")}
    monkeypatch.setattr(schemas, "ENDPOINTS", MappingProxyType(same))
    (folder / "notes.yaml").write_text(NOTES.replace("    personal: true\n", ""), encoding="utf-8")
    old = NOTES.replace("[id, type]", "[id, name]").replace("  updated_at:", "  title:")
    (folder / "old_notes.yaml").write_text(old, encoding="utf-8")
    columns = side_loaded_columns("notes")
    assert [*columns] == ["id", "text", "links", "updated_at", "title"]
    assert columns["text"].personal
    assert columns["links"].fields == ("id",)


@pytest.mark.parametrize("name", ["lost-deals", "LostDeals", "lost deals", "", "2nd"])
def test_name_that_no_table_or_asset_can_have_is_refused(name: str) -> None:
    with pytest.raises(SchemaRefused, match=rf"^'{name}' in api.py: name a list with lower-case"):
        check_lists({name: ENDPOINTS["accounts"]})


@pytest.mark.parametrize("name", [*OWN_TABLES, "since"])
def test_name_of_a_table_of_the_project_is_refused(name: str) -> None:
    with pytest.raises(SchemaRefused, match=rf"^{name} in api.py cannot be the name of a list"):
        check_lists({name: ENDPOINTS["accounts"]})
