"""Records in which every personal value is marked, and a search for the marks in all files of a run."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from crm_assets.source.schemas import resource_schema
from crm_assets_tests.data_dirs import LAKES
from crm_assets_tests.lake_contents import lake_texts

UPDATED = "2026-05-01T12:00:00Z"

SPELLINGS = ("Email", "E-MAIL", "e mail", "eMail", "EMAIL", "First Name", "firstName", "displayName", "mobile-number")
"""Names of personal columns as other installations might spell them."""

NOT_PERSONAL = {
    "accounts": "lead_score",
    "contacts": "customer_fit",
    "won_deals": "probability",
    "open_tasks": "status",
    "past_appointments": "provider",
}
"""Resource -> a declared column that is neither personal nor meant to hold an object."""

JSON_COLUMNS = {
    "accounts": "tags",
    "contacts": "sales_accounts",
    "won_deals": "products",
    "open_tasks": "targetables",
    "past_appointments": "targetables",
}
"""Resource -> a declared JSON column that is not personal."""


FOREIGN = ("Vorname", "Téléphone", "correo_electrónico", "メール", "имя", "البريد")
"""Names of personal fields in other languages."""


class Marks:
    """Makes marks, and knows all that it has made: no compression can hide them."""

    def __init__(self, seed: str = "") -> None:
        """Has made none yet."""
        self.made: list[str] = []
        self._seed = seed

    def new(self) -> str:
        """One that was not there before."""
        mark = f"q{hashlib.sha256(f'{self._seed}{len(self.made)}'.encode()).hexdigest()[:30]}"
        self.made.append(mark)
        return mark


def marked_lists(marks: Marks) -> dict[str, list[Any]]:
    """Lists of the resources that have a column of each kind, with marks in all spellings and nestings."""
    return {resource: list(_records(resource, marks)) for resource in NOT_PERSONAL}


def marked_contact(id_: Any, mark: str) -> dict[str, Any]:
    """A contact with this mark in declared and undeclared texts."""
    return {"id": id_, "display_name": mark, "email": mark, "updated_at": UPDATED, "Email": mark}


def marked_side_loads(marks: Marks) -> dict[str, list[Any]]:
    """Arrays beside the lists: one that is declared, one that is called like a list, and some that nobody knows."""
    new = marks.new
    return {
        "users": [{"id": 1, "display_name": new(), "Email": new(), "is_active": {"email": new()}}],
        "contacts_of_yore": [{"id": 2, "email": new(), "notes": [new()]}],
        f"{new()}@example.com": [{"id": 4, "name": new()}, {"id": new()}],
        new(): [{"id": 5, "e_mail": new()}, {new(): 1}, [new()]],
        "contact_people": [{"id": 3, **{name: new() for name in SPELLINGS}}],
    }


def _records(resource: str, marks: Marks) -> Iterator[Any]:
    columns, new = resource_schema(resource).columns, marks.new
    personal = [name for name, column in columns.items() if column.personal]

    def record(id_: Any, **fields: Any) -> dict[str, Any]:
        return {"id": id_, "updated_at": UPDATED, **fields}

    json_column, other = JSON_COLUMNS[resource], NOT_PERSONAL[resource]
    yield record(1, **{name: new() for name in personal})
    yield record(2, **{name: [new(), {"value": new(), "email": new()}] for name in personal})
    yield record(3, **{name: {"value": new(), new(): 1, "deep": [[{"x": new()}]]} for name in personal})
    yield record(4, **{name: new() for name in SPELLINGS})
    yield record(5, nickname=new(), owner={"id": 1, "email": new(), "Name": new()}, cf_note=[new()])
    yield record(6, **{json_column: [{"id": 1, "type": "Contact", "name": new(), "E-Mail": new(), "by": [new()]}]})
    yield record(7, **{json_column: {"a": {"b": [[{"c": {"email": new()}}]]}, "list": [new()]}})
    yield record(8, **{json_column: json.dumps([{"email": new(), "other": new()}]), other: {"email": new()}})
    yield record(9, **{other: [{"first_name": new(), "Mail": new()}], "seen_by": {new(): new()}})
    scalars = [name for name, column in columns.items() if column.data_type not in {"text", "json"}]
    odd = {name: [new(), [new()], {new(): 1}, json.dumps([new()])][i % 4] for i, name in enumerate(scalars)}
    yield record(12, **{name: value for name, value in odd.items() if name not in {"id", "updated_at"}})
    encoded = json.dumps(json.dumps([{"email": new(), new(): 1}]))
    yield record(13, **{json_column: encoded, other: quote(encoded)})
    yield record(14, **{json_column: repr({"Vorname": new()}), other: [[encoded]]})
    yield record(
        15, **{name: {"valeur": new()} for name in FOREIGN}, **{json_column: [{name: new() for name in FOREIGN}]}
    )
    yield {"id": f"{new()}@example.com", "updated_at": new()}
    yield {"id": [new()], f"{new()}@example.com": new()}
    yield [record(10, **{name: new() for name in personal[:3]})]
    yield [[record(11, Email=new(), note=new())], new()]
    yield record(None, **{name: new() for name in personal}, Email=new(), nested=[{"email": new()}])
    yield {"first_name": new(), personal[0]: {"value": new()}}
    yield new()


def found_in_files(marks: list[str], *folders: Path) -> set[str]:
    """Marks that are in any file below the folders, or in any table of a database there: these can be compressed.

    Where a data directory has a lake, all of that is searched as well.
    """
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    texts = [path.read_bytes() for path in files]
    texts += [text.encode() for path in files if path.suffix == ".duckdb" for text in _rows_of_all_tables(path)]
    texts += [text.encode() for folder in folders if folder in LAKES for text in lake_texts(LAKES[folder])]
    return {mark for mark in marks for text in texts if mark.encode() in text}


def _rows_of_all_tables(database: Path) -> Iterator[str]:
    with closing(duckdb.connect(str(database), read_only=True)) as connection:
        tables = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
        for schema, table in tables:
            for row in connection.execute(f'select * from "{schema}"."{table}"').fetchall():
                yield repr(row)


def personal_settings(policy: str, **others: str) -> Mapping[str, str]:
    """The environment for a policy."""
    given = {"personal_data": policy, "personal_data_key": "a long random text of many characters", **others}
    return {f"SOURCES__CRM__{name.upper()}": value for name, value in given.items()}
