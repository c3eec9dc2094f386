"""The search methods there are, by name; other packages add one through the entry point group ``mu2net.methods``."""

from __future__ import annotations

from importlib.metadata import entry_points

from mu2net_core.errors import NotFoundError
from mu2net_core.search.population import SearchMethod, ask
from mu2net_core.search.random_search import ask_random

__all__ = ["DEFAULT_METHOD", "method_named"]

DEFAULT_METHOD = "mu2net-plus"
_SHIPPED: dict[str, SearchMethod] = {DEFAULT_METHOD: ask, "random": ask_random}
_GROUP = "mu2net.methods"


def method_named(name: str) -> SearchMethod:
    """Returns what plans generations: ``mu2net-plus`` is the papers' method, ``random`` the baseline it has to beat.

    Raises:
        NotFoundError: no installed package offers it.
    """
    if name in _SHIPPED:
        return _SHIPPED[name]
    for entry in entry_points(group=_GROUP, name=name):
        method: SearchMethod = entry.load()
        return method
    raise NotFoundError(
        f"No search method {name[:80]!r} is installed.",
        hint=f"Shipped: {', '.join(sorted(_SHIPPED))}. mu2net config set evolve.method NAME",
    )
