"""Snapshots as they are stored: whole, or as what differs from another one.

Every iteration names a snapshot, and each names every task: stored whole, they alone would make a repository grow with
the square of its tasks. So most hold only the heads that moved since a *base*, which may have a base itself. Along such
a chain the differences grow by a factor, as in a log-structured file: n tasks need a chain of about log n, and an
iteration stores about as many heads. A difference only ever adds heads or replaces them: nothing that a base names is
hidden from whoever may see the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.objects import Snapshot, System

__all__ = ["complete", "newest_snapshot", "shorten", "snapshot_chain"]

Load = Callable[[str], Snapshot]

_SMALL = 16
_FACTOR = 3
_WRITTEN = 16
_READ = 64


def snapshot_chain(oid: str, load: Load) -> tuple[Snapshot, ...]:
    """Returns the snapshot ``oid`` as it is stored, its base, the base of that, and so on to a whole one.

    Raises:
        CorruptObjectError: the chain is longer than any that is written.
    """
    chain = [load(oid)]
    while chain[-1].base is not None:
        if len(chain) == _READ:
            raise CorruptObjectError(f"The snapshot {oid} stands on more than {_READ - 1} others: it is not genuine.")
        chain.append(load(chain[-1].base))
    return tuple(chain)


def complete(chain: Sequence[Snapshot]) -> Snapshot:
    """Returns the first snapshot of a chain with all its heads, and no base."""
    heads: dict[str, str] = {}
    for part in reversed(chain):
        heads.update(part.heads)
    return replace(chain[0], heads=heads, base=None)


def newest_snapshot(system: System, whole: Snapshot) -> str | None:
    """Returns the snapshot named by the newest of the commits that are heads in ``whole``; None if none names one."""
    commits = (system.heads[task].commit for task in whole.heads)
    named = ((commit.finished_at, commit.snapshot) for commit in commits if commit.snapshot is not None)
    return max(named, default=(None, None))[1]


def shorten(whole: Snapshot, newest: str | None, load: Load) -> Snapshot:
    """Returns ``whole`` as it is best stored: as what differs from ``newest`` or a base of that, if little does.

    Args:
        whole: with all its heads.
        newest: a snapshot that the heads of ``whole``, or their histories, need anyway.
        load: reads a snapshot as it is stored.
    """
    if len(whole.heads) < _SMALL or newest is None:
        return whole
    try:
        chain = snapshot_chain(newest, load)
    except Mu2netError:
        return whole  # damaged or missing: nothing new should rest on it
    for place, (base, heads) in enumerate(_bases(newest, chain)):
        changed = {task: commit for task, commit in whole.heads.items() if heads.get(task) != commit}
        room = len(heads) // 2 if chain[place].base is None else len(chain[place].heads) // _FACTOR
        if heads.keys() <= whole.heads.keys() and len(changed) <= room and len(chain) - place < _WRITTEN:
            return replace(whole, heads=changed, base=base)
    return whole


def _bases(oid: str, chain: Sequence[Snapshot]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the id and all heads of each snapshot of a chain."""
    ids = [oid, *(part.base or "" for part in chain)]
    for place in range(len(chain)):
        yield ids[place], dict(complete(chain[place:]).heads)
