"""What a check of a repository found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mu2net_core.objects import Kind
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.core.repository import CONFIG
from mu2net_core.storage import Store, is_link, link_error

__all__ = ["FsckReport", "Objects", "Problem", "ProblemKind", "Source", "told_link"]

ProblemKind = Literal[
    "damaged-object",
    "missing-object",
    "damaged-ref",
    "missing-ref",
    "wrong-reference",
    "access",
    "forged",
    "implausible",
    "foreign",
    "newer",
    "unreachable-remote",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: a stable name for programs.
        object: what it is about: ``<kind>/<id>`` for an object, its key for a ref, ``remote/<name>`` for a remote.
        message: one sentence: expected, found.
    """

    kind: ProblemKind
    object: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FsckReport:
    """The outcome of a check.

    Attributes:
        problems: what is wrong now, after repairs.
        warnings: what is worth knowing and does no harm.
        repaired: objects and refs that were restored from the other repository.
        counts: how much was checked: objects by kind, ``entries``, ``tags``, ``bytes``; and ``unreachable`` objects,
            which do no harm.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    repaired: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def told_link(store: Store, key: str) -> str | None:
    """Returns what a problem says of a link at ``key``, or of a folder that may not be listed; None if neither is."""
    settings = store.local_path(CONFIG)
    if settings is None:
        return None
    place = settings.parent / key
    if is_link(place):
        return link_error(place).message
    closed = place.is_dir() and not os.access(place, os.R_OK | os.X_OK)
    return f"The folder {place} may not be listed. Its owner can open it for others." if closed else None


class Objects(Protocol):
    """Where good copies of objects are read."""

    def read(self, kind: Kind, oid: str) -> bytes:
        """Returns an object's bytes, which hash to ``oid``."""
        ...


class Source(Protocol):
    """A repository that good copies can come from."""

    @property
    def objects(self) -> Objects:
        """Its objects."""
        ...

    @property
    def refs(self) -> Refs:
        """Its refs."""
        ...
