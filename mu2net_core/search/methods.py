"""The search methods there are, by name; other packages add one through the entry point group ``mu2net.methods``."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import entry_points

from mu2net_core.errors import InvalidInputError
from mu2net_core.search.population import SearchMethod, ask
from mu2net_core.search.random_search import ask_random

__all__ = ["DEFAULT_METHOD", "check_method", "method_named", "method_names"]

DEFAULT_METHOD = "mu2net-plus"
_SHIPPED: dict[str, SearchMethod] = {DEFAULT_METHOD: ask, "random": ask_random}
_GROUP = "mu2net.methods"


def method_names() -> tuple[str, ...]:
    """Returns the names of all methods, those of other packages among them, without importing any; sorted."""
    return tuple(sorted({*_SHIPPED, *(entry.name for entry in entry_points(group=_GROUP))}))


def check_method(name: str) -> None:
    """Checks that there is a method of this name.

    Raises:
        InvalidInputError: no installed package offers it; near names are in the hint.
    """
    names = method_names()
    if name not in names:
        near = get_close_matches(name, names, n=1)
        raise InvalidInputError(
            f"evolve.method: expected {' or '.join(names)}, got {name[:80]!r}.",
            hint=f"Did you mean {near[0]}?" if near else "Install the package that offers it.",
        )


def method_named(name: str) -> SearchMethod:
    """Returns what plans generations: ``mu2net-plus`` is the papers' method, ``random`` the baseline it has to beat.

    Raises:
        InvalidInputError: no installed package offers it.
    """
    check_method(name)
    if name in _SHIPPED:
        return _SHIPPED[name]
    (entry, *_) = entry_points(group=_GROUP, name=name)
    method: SearchMethod = entry.load()
    return method
