"""The tree of errors."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import crm_assets
from crm_assets import errors
from crm_assets.errors import CrmAssetsError

INTERNAL = {"ReadClosed", "_Returned"}
"""They never leave `source.http` and the rendering of templates."""


def classes(root: type[CrmAssetsError] = CrmAssetsError) -> Iterator[type[CrmAssetsError]]:
    """The classes of the tree."""
    yield root
    for child in root.__subclasses__():
        yield from classes(child)


def test_every_exception_of_the_package_is_in_the_tree() -> None:
    found = {
        member.__name__
        for info in pkgutil.walk_packages(crm_assets.__path__, "crm_assets.")
        if not info.name.endswith("__main__")
        for _, member in inspect.getmembers(importlib.import_module(info.name), inspect.isclass)
        if issubclass(member, BaseException) and member.__module__.startswith("crm_assets.")
    }
    assert found - INTERNAL == {each.__name__ for each in classes()}


def test_the_documented_tree_is_complete() -> None:
    names = [word for line in (errors.__doc__ or "").splitlines() for word in line.split()]
    assert {each.__name__ for each in classes()} <= set(names)


def test_an_error_says_whether_it_may_recover() -> None:
    assert not errors.WarehouseUnreachable("refused").may_recover
    assert errors.WarehouseUnreachable("no answer", may_recover=True).may_recover
    assert errors.ApiUnavailable("busy").may_recover
