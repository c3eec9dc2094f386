"""What other packages can add to mu2net, by name: one registry for every kind of plug-in (docs/extending.md).

A package names what it offers in the entry points of its ``pyproject.toml``. What mu2net ships is named in the same
way, so that nothing is imported before it is used, and a name is looked up and checked without importing anything.
Where packages are looked at, the standard library's own tools for it are imported: they take longer than a whole verb
that only shows something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from mu2net_core.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry", "offered"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry(Generic[T]):
    """Things of one kind by name: those that are shipped, then those of other packages.

    A shipped name always means what is shipped: no package can put something else in its place.

    Attributes:
        group: of the entry points that add one.
        what: such a thing is called in messages, e.g. ``search method``.
        shipped: ``module:attribute``, or just ``module``, by name.
        offers: attributes that each must have.
        needs: by the name of what is shipped, the package that it needs and the extra of mu2net that brings it.
    """

    group: str
    what: str
    shipped: Mapping[str, str]
    offers: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    _loaded: dict[str, T] = field(default_factory=dict, repr=False)

    def __contains__(self, name: str) -> bool:
        return name in self.shipped or name in self._loaded or bool(self._of_others(name))

    def names(self) -> tuple[str, ...]:
        """Returns all names, sorted; imports nothing that is offered."""
        return tuple(sorted({*self.shipped, *offered(self.group)}))

    def near(self, name: str) -> str | None:
        """Returns the name that ``name`` may have been meant for."""
        from difflib import get_close_matches

        return next(iter(get_close_matches(name, self.names(), n=1)), None)

    def hint(self, name: str) -> str:
        """Returns what to do about a name that is unknown."""
        near = self.near(name)
        return "Install the package that offers it." if near is None else f"Did you mean {near}?"

    def load(self, name: str) -> T:
        """Returns what is called ``name``.

        Raises:
            PluginError: no installed package offers it, several do, or the one that does cannot be imported or lacks
                another package.
        """
        if name not in self._loaded:
            self._check_needs(name)
            found = _shipped(self.shipped[name]) if name in self.shipped else self._import(self._entry(name))
            lacking = [attribute for attribute in self.offers if not hasattr(found, attribute)]
            if lacking:
                raise PluginError(
                    f"The {self.what} {name!r} cannot be used: expected {' and '.join(self.offers)}, and it lacks "
                    f"{' and '.join(lacking)}.",
                    hint="Ask whoever wrote it, or update its package; docs/extending.md says what it must offer.",
                )
            self._loaded[name] = cast(T, found)
        return self._loaded[name]

    def _check_needs(self, name: str) -> None:
        from importlib.util import find_spec

        package, extra = self.needs.get(name, ("", ""))
        if package and find_spec(package) is None:
            raise PluginError(
                f"The {self.what} {name!r} needs the package {package}, which is not installed.",
                hint=f"pip install 'mu2net[{extra}]'",
            )

    def _entry(self, name: str) -> EntryPoint:
        found = self._of_others(name)
        if not found:
            known = ", ".join(self.names())
            raise PluginError(
                f"No {self.what} {name[:80]!r} is installed; there are {known}.", hint=self.hint(name[:80])
            )
        if len({entry.value for entry in found}) > 1:
            values = " and ".join(sorted({entry.value for entry in found}))
            raise PluginError(
                f"Several packages offer the {self.what} {name!r}: {values}.", hint="Uninstall all of them but one."
            )
        return found[0]

    def _of_others(self, name: str) -> tuple[EntryPoint, ...]:
        from importlib.metadata import entry_points

        return tuple(entry_points(group=self.group, name=name))

    def _import(self, entry: EntryPoint) -> Any:
        try:
            return entry.load()
        except Exception as exc:  # whatever goes wrong in another package's modules
            package = entry.value.partition(":")[0].partition(".")[0]
            raise PluginError(
                f"The {self.what} {entry.name!r} cannot be imported from {entry.value}: {type(exc).__name__}: {exc}.",
                hint=f"Update or reinstall the package that has {package}; pip check says what it lacks.",
            ) from exc


def offered(group: str) -> frozenset[str]:
    """Returns the names that installed packages offer in a group of entry points."""
    from importlib.metadata import entry_points

    return frozenset(entry.name for entry in entry_points(group=group))


def _shipped(value: str) -> Any:
    """Returns what ``module:attribute`` or ``module`` says."""
    module, _, path = value.partition(":")
    return reduce(getattr, filter(None, path.split(".")), import_module(module))
