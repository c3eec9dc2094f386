"""Racing writers: the only way to tell a server that creates exclusively from one that checks and then writes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

from mu2net_core.errors import AlreadyExistsError, Mu2netError, NotFoundError, StorageError
from mu2net_core.storage import Store

__all__ = ["Race", "race"]

_WRITERS = 16
_LARGEST_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """How a race ended: whether anybody won, and what was wrong, if anything was."""

    was_won: bool
    problem: str | None


def race(store: Store, key: str) -> Race:
    """Returns how it ended when many writers created ``key`` at the same moment, each with other bytes.

    Nobody wins where the key was there before, which is fine.

    Raises:
        StorageError: the storage failed all of them.
    """
    bodies = [f"{number} {uuid.uuid4()}\n".encode() for number in range(_WRITERS)]
    barrier = Barrier(_WRITERS)

    def write(body: bytes) -> bool | Mu2netError:
        barrier.wait()
        try:
            return store.create(key, body)
        except (AlreadyExistsError, StorageError) as exc:
            return exc

    with ThreadPoolExecutor(_WRITERS) as writers:
        results = list(writers.map(write, bodies))
    winners = [body for body, result in zip(bodies, results, strict=True) if result is True]
    return Race(was_won=bool(winners), problem=_problem(winners, _content_after(store, key, results)))


def _content_after(store: Store, key: str, results: Sequence[bool | Mu2netError]) -> bytes:
    try:
        return store.read(key, limit=_LARGEST_BYTES)
    except NotFoundError:
        failed = next((result for result in results if isinstance(result, StorageError)), None)
        if failed is not None:
            raise failed from None
        return b""


def _problem(winners: Sequence[bytes], content: bytes) -> str | None:
    if len(winners) > 1:
        return (
            f"{len(winners)} of {_WRITERS} writers that created the same object at the same moment were all told that "
            "they did, though only one can be right (one after the other, it does refuse the second)"
        )
    if winners and content != winners[0]:
        return "an object that racing writers created does not hold what the only one who succeeded wrote"
    return None if content else "an object that racing writers created is not there"
