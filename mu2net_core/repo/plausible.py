"""What arrives from others, judged before it is stored: whether it can be what honest work of this repository makes."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.errors import ConflictError, CorruptObjectError, InternalError, InvalidInputError, NotFoundError
from mu2net_core.objects import Commit
from mu2net_core.repo.database import Manifest, ObjectDatabase

__all__ = ["ISOLATED", "Arrivals", "check"]

ISOLATED = (CorruptObjectError, NotFoundError, InvalidInputError, ConflictError, InternalError)
"""What is wrong with one task, root, tag or tombstone, and keeps no other from going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What arrivals are judged by.

    Attributes:
        identity: of the repository.
        latest: the latest time that something may have been made at, as commits store it; empty for no bound.
    """

    identity: str
    latest: str = ""


def check(value: Manifest, objects: ObjectDatabase, arrivals: Arrivals) -> None:  # noqa: ARG001
    """Checks a manifest all of whose needs are in ``objects``.

    Raises:
        CorruptObjectError: it cannot be what honest work makes.
    """
    if not isinstance(value, Commit) or value.identity == arrivals.identity:
        return
    if value.identity is not None or not value.parents:
        there = value.identity or "unknown"
        raise CorruptObjectError(f"A commit of {value.task} is of another repository ({there[:8]}).")
