"""Tasks that were dropped here because others purged them: set aside for a while, so that it can be undone.

A note in ``state/purged`` says where such a task stood. As long as it is younger than the grace of ``gc``, all that was
reached from there stays. Nothing is moved, so there is no moment at which a part of it is nowhere. The note is the
first thing written when a purge is followed, and the last that goes when that is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import LIMITS, check_name, check_oid, decode, encode, hash_bytes, object_key
from mu2net_core.repo.core import Repository, parse_tombstone_key
from mu2net_core.repo.history import contains, is_at_purge
from mu2net_core.repo.upkeep.reachable import Tips
from mu2net_core.storage import Store, replace_file

__all__ = ["GRACE", "Aside", "aside_tips", "asides", "bring_back", "forget_asides", "in_effect", "set_aside"]

GRACE = timedelta(days=14)
"""How long what nobody reaches stays: far longer than any push takes."""

_FOLDER = "state/purged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A task that was dropped here, as a purge elsewhere asked for.

    Attributes:
        task: its name.
        tip: the commit its head stood at.
        purge: the purge commit that it was moved to.
        before: keys of the tombstones of the task that were here already.
        at: when, UTC, ISO 8601.
    """

    task: str
    tip: str
    purge: str
    before: tuple[str, ...]
    at: str

    def __post_init__(self) -> None:
        check_name(self.task, "task name")
        check_oid(self.tip)
        check_oid(self.purge)

    @property
    def key(self) -> str:
        """Where its note lies; the name of a task that may go for good is not in it."""
        return f"{_FOLDER}/{hash_bytes(f'{self.task} {self.purge}'.encode())[:32]}"


def set_aside(repo: Repository, task: str, *, tip: str, purge: str, now: str) -> None:
    """Notes where a task stands that is about to be dropped; it is dropped as soon as its head has moved.

    If it died after this once, it is noted anew: the grace begins now.
    """
    known = next((one for one in asides(repo.store) if (one.task, one.purge) == (task, purge)), None)
    before = tuple(sorted(_tombstones(repo, task))) if known is None else known.before
    aside = Aside(task=task, tip=tip, purge=purge, before=before, at=now)
    replace_file(repo.path / aside.key, encode(aside))


def asides(store: Store) -> Iterator[Aside]:
    """Yields what is set aside in a repository on this machine, and what was about to be when the program died."""
    if store.local_path(_FOLDER) is None:
        return
    for key in store.list(_FOLDER):
        with suppress(CorruptObjectError, NotFoundError):  # one that cannot be read holds nothing
            found = decode(store.read(key, limit=LIMITS.manifest_bytes), Aside, what=key)
            if found.key == key:
                yield found


def in_effect(repo: Repository, task: str) -> Aside | None:
    """Returns how a task was set aside, if nothing but other purges came to its head since."""
    head = repo.refs.head(task)
    if head is None or not is_at_purge(repo.objects, head.commit):
        return None
    notes = sorted((one for one in asides(repo.store) if one.task == task), key=lambda one: one.at, reverse=True)
    return next((one for one in notes if contains(repo.objects, head.commit, one.purge)), None)


def aside_tips(store: Store, *, but: str | None = None, since: datetime | None = None) -> Tips:
    """Returns what is set aside, ``but`` for a task, and since when, by the clock of the store."""
    kept = [one for one in asides(store) if one.task != but and (since is None or store.modified(one.key) >= since)]
    return Tips(faded=frozenset(one.tip for one in kept if store.exists(object_key("commit", one.tip))))


def forget_asides(store: Store, task: str) -> None:
    """Gives up what is set aside of a task: it stays no longer, and cannot be brought back."""
    for one in list(asides(store)):
        if one.task == task:
            store.delete(one.key)


def bring_back(repo: Repository, task: str, store_commit: Callable[[Aside, str], str]) -> str:
    """Brings a task back that was set aside, and returns the commit its head is at; again goes on.

    Its head moves on to a commit that has both what was set aside and all purges in its history. Then the tombstones go
    that were made when it was dropped: the only refs besides tags that ever do.

    Args:
        repo: where.
        task: its name.
        store_commit: stores that commit, given where the head is, and returns its id.

    Raises:
        NotFoundError: nothing of it is set aside, or it was added again since.
        ConflictError: another process moved the head meanwhile.
    """
    head = repo.refs.head(task)
    notes = [one for one in asides(repo.store) if one.task == task and repo.objects.has("commit", one.tip)]
    if head is None or not notes:
        hint = f"Only what a pull dropped because others purged it can be brought back; see: mu2net reflog {task}"
        raise NotFoundError(f"Nothing of {task} is set aside here.", hint=hint)
    aside = in_effect(repo, task)
    if aside is not None:
        head = repo.refs.append(task, store_commit(aside, head.commit), after=head)
    else:
        aside = next((one for one in notes if contains(repo.objects, head.commit, one.tip)), None)
    if aside is None:
        raise NotFoundError(
            f"{task} was added again after it was dropped here: what was set aside is not brought back over that.",
            hint=f"To drop what it is now: mu2net rm-task {task} --purge",
        )
    for key in sorted(_tombstones(repo, task) - {*aside.before}):
        repo.store.delete(key)
    repo.store.delete(aside.key)
    return head.commit


def _tombstones(repo: Repository, task: str) -> set[str]:
    """Returns the keys of the tombstones of a task."""
    return {key for key in repo.store.list(f"refs/purged/{task}") if (parse_tombstone_key(key) or ("",))[0] == task}
