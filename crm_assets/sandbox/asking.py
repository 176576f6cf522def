"""Reading what a client asks for out of a request's parameters."""

from collections.abc import Mapping
from typing import Final

from crm_assets.sandbox.world import Query

MOST_PER_PAGE: Final = 100
"""How many records a page has at most, whatever is asked for."""


def query(parameters: Mapping[str, str]) -> Query:
    """Read the parameters of a request; those that mean nothing here are ignored, as the API does.

    Raises:
        ValueError: If a page or a page size is not a whole number from 1.
    """
    default = Query()
    return Query(
        page=_positive(parameters, "page", default.page),
        per_page=min(_positive(parameters, "per_page", default.per_page), MOST_PER_PAGE),
        sort=parameters.get("sort", default.sort),
        descending=parameters.get("sort_type") == "desc",
        include=frozenset(parameters.get("include", "").split(",")),
    )


def _positive(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError(f"{name} must be a whole number from 1, not {text[:20]!r}")
    return int(text)
