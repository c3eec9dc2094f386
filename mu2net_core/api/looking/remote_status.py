"""How the heads here compare with a remote as it was last seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mu2net_core.errors import ConflictError
from mu2net_core.objects import Commit
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.core import Purged
from mu2net_core.repo.history import contains, merge
from mu2net_core.repo.remotes import Pending, Sender, Tracking, read_tracking

__all__ = ["RemoteStatus", "remote_status"]

Relation = Literal[
    "same", "ahead", "behind", "diverged", "conflict", "only-here", "only-there", "purged", "purged-there", "outlived"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus:
    """How the heads here compare with a remote as it was last seen.

    Attributes:
        name: of the remote.
        url: of the remote.
        seen: whether it was ever fetched from or pushed to.
        seen_at: when all of it was last looked at, UTC and ISO 8601; None for never.
        relations: by task: ``ahead`` is what a push would bring there, ``behind`` what a pull would bring here;
            ``diverged`` moved on both sides, and a pull joins it; ``conflict`` did, and somebody has to choose;
            ``purged`` here, and not there; ``purged-there`` by others, and not sent there any more: it stays here,
            unless a pull follows purges; ``outlived`` is the same with work on it here that was never there.
        to_push: what a push would move, of all that its readers may see.
        lost: what was seen of it and was gone when it was last looked at, in words.
        is_other: whether another repository was there when it was last looked at, so that nothing was exchanged.
    """

    name: str
    url: str
    seen: bool
    seen_at: str | None = None
    relations: Mapping[str, Relation] = field(default_factory=dict)
    to_push: Pending = field(default_factory=Pending)
    lost: tuple[str, ...] = ()
    is_other: bool = False

    def tasks(self, *relations: Relation) -> tuple[str, ...]:
        """Returns the tasks in one of ``relations``, sorted."""
        return tuple(sorted(task for task, relation in self.relations.items() if relation in relations))


def remote_status(
    repo: Repository, sender: Sender, heads: Mapping[str, HeadState], commits: Mapping[str, Commit]
) -> RemoteStatus:
    """Returns how heads compare with the remote of a sender.

    Args:
        repo: the working copy.
        sender: to the remote.
        heads: by task.
        commits: of these, by task.
    """
    remote = sender.remote
    known = read_tracking(repo.state, remote)
    names = sorted({*heads, *known.heads})
    relations = {task: _relation(repo, heads.get(task), known, task, sender) for task in names}
    moved = {task: commits[task] for task, relation in relations.items() if relation in {"ahead", "only-here"}}
    return RemoteStatus(
        name=remote.name,
        url=remote.url,
        seen=bool(known.heads or known.roots),
        seen_at=known.seen_at or None,
        relations=relations,
        to_push=sender.pending(known, moved),
        lost=known.lost,
        is_other=known.identity not in {None, repo.identity},
    )


def _relation(repo: Repository, here: HeadState | None, known: Tracking, task: str, sender: Sender) -> Relation:
    there = known.heads.get(task)
    if here is not None and (there is None or here.commit != there.commit) and sender.purged_there(here.commit):
        had = known.purged_heads.get(task)
        return "purged-there" if had is not None and contains(repo.objects, had, here.commit) else "outlived"
    if here is None or there is None:
        return "only-here" if there is None else "only-there"
    if here.commit == there.commit:
        return "same"
    if not repo.objects.has("commit", there.commit) and task in Purged.read(repo.refs).tasks:
        return "purged"
    return _compared(repo, here.commit, there.commit)


def _compared(repo: Repository, here: str, there: str) -> Relation:
    """Returns how two commits of a task that are both here stand to each other."""
    if contains(repo.objects, here, there):
        return "ahead"
    if contains(repo.objects, there, here):
        return "behind"
    try:
        merge(repo.objects, [here, there])
    except ConflictError:
        return "conflict"
    return "diverged"
