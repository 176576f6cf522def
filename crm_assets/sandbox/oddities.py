"""Oddities of real installations: undeclared fields and arrays, and values of other types."""

import re
from typing import Any

from crm_assets.sandbox.chance import fraction, mix

ODD, WHICH, UNKNOWN = range(501, 504)
ONE_NULL_IN = 12
KEPT = ("id", "updated_at")
TIME = re.compile(r"\d{4}-\d\d-\d\d(T|$)")

# Stem of a field's name -> makes its value from a random number. Each stem has one type.
STEMS = (
    ("region", lambda draw: ("North", "East", "South", "West")[draw % 4]),
    ("seat_count", lambda draw: draw % 500),
    ("usage_ratio", lambda draw: draw % 10_000 / 10_000),
    ("is_partner", lambda draw: draw % 3 == 0),
    ("billing", lambda draw: {"currency": ("EUR", "USD")[draw % 2], "days": draw % 60, "contact": None}),
    ("cost_center", lambda draw: f"{draw % 10_000:05d}"),
    ("renewal_on", lambda draw: f"2027-{draw % 12 + 1:02d}-{draw % 28 + 1:02d}"),
    ("channels", lambda draw: ["mail", "phone", "chat"][: draw % 4]),
)


def add_unknown_fields(record: dict[str, Any], seed: int, count: int) -> None:
    """Adds undeclared fields. A field's values have the same JSON type in all records, or are null."""
    for number in range(1, count + 1):
        stem, make = STEMS[(number - 1) % len(STEMS)]
        draw = mix(seed, UNKNOWN, number)
        record[f"{stem}_{number}"] = make(draw >> 8) if draw % ONE_NULL_IN else None


def change_a_type(record: dict[str, Any], seed: int, share: float) -> None:
    """Changes one field of a share of the records to another JSON type, or a time to a string that is not a time."""
    if fraction(seed, ODD) < share:
        names = [name for name, value in record.items() if isinstance(value, int | str) and name not in KEPT]
        name = names[mix(seed, WHICH) % len(names)]
        record[name] = _of_another_type(record[name])


def _of_another_type(value: int | str) -> int | str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return "n/a" if TIME.match(value) else len(value)
