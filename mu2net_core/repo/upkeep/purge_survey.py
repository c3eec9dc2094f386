"""What purging a task would take away, and what of it stays because others hold it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import AccessRule, Commit, Model, Snapshot, Task, intersect
from mu2net_core.repo.core import PURGED_SOURCE, HeadState, Manifest, Purged, begins_anew, is_purge
from mu2net_core.repo.remotes import Node
from mu2net_core.repo.upkeep.place import Place
from mu2net_core.repo.upkeep.reachable import Tips, reach, ref_tips

__all__ = ["Survey", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A task before or after its purge.

    Attributes:
        task: its name.
        head: its newest entry; the purge commit's once ``is_moved``.
        commit: that entry's commit.
        is_moved: whether the head is at a purge commit already.
        doomed: every object there is that only this task reaches, or reached, or that is of it and nobody reaches.
        roots: the parentless commits of its history.
        access: who may read what its data taught: the intersection over its history.
        holders: other tasks whose models have components that its data trained.
    """

    task: str
    head: HeadState
    commit: Commit
    is_moved: bool
    doomed: frozenset[Node]
    roots: frozenset[str]
    access: AccessRule
    holders: tuple[str, ...]


def survey(place: Place, task: str, *, also: Tips | None = None, doomed: Set[Node] = frozenset[Node]()) -> Survey:
    """Returns what a purge of ``task`` takes away, or what is left to take away after its head was moved.

    Args:
        place: the repository.
        task: one with a head, removed or not.
        also: what else must stay, and what else is of the task: fetched heads and the like.
        doomed: what was found to go before the head was moved.

    Raises:
        NotFoundError: there is no such task.
        CorruptObjectError: a ref or manifest that tells what others need cannot be read.
    """
    purged = place.purged()
    head = place.refs.head(task)
    if head is None:
        raise NotFoundError(f"There is no task {task} in {place.store.url}.")
    commit = place.objects.commit(head.commit)
    is_moved = is_purge(commit) and purged.covers_entry(task, head.number - 1)
    own = _Own(task=task)
    others = _Holders(task=task)
    extra = also or Tips()
    fetched = extra.commits | extra.faded
    foreign = frozenset(oid for oid in fetched if not _is_of(place, oid, task))
    staying = ref_tips(place, purged, without=None if is_moved else task)
    staying |= replace(extra, commits=frozenset(), faded=foreign)
    stay = reach(place, staying, purged, spared=task, visit=others.visit)
    history = Tips(faded=fetched - foreign)
    if not is_moved:
        entries = range(1, head.number + 1)
        live = (number for number in entries if not purged.covers_entry(task, number))
        history |= Tips(faded={place.refs.entry(task, number)[0].commit for number in live})
    left = (doomed | reach(place, history, purged, visit=own.visit)) - stay
    there = place.nodes()
    left |= _strays(place, own, there, stay, purged)
    return Survey(
        task=task,
        head=head,
        commit=commit,
        is_moved=is_moved,
        doomed=frozenset(left & set(there)),
        roots=frozenset(oid for oid in own.roots if ("commit", oid) not in stay),
        access=intersect([*own.rules, _rule(place, commit)]),
        holders=others.found(stay),
    )


@dataclass(slots=True, kw_only=True)
class _Own:
    """What the history of one task says of it."""

    task: str
    roots: set[str] = field(default_factory=set)
    rules: list[AccessRule] = field(default_factory=list)

    def visit(self, node: Node, value: Manifest) -> None:
        """Notes what a manifest says."""
        if isinstance(value, Commit) and value.task == self.task and not value.parents:
            self.roots.add(node[1])
        elif isinstance(value, Task) and value.name == self.task:
            self.rules.append(value.access)


@dataclass(slots=True, kw_only=True)
class _Holders:
    """Which components of other tasks' models the data of one task trained."""

    task: str
    components: dict[str, set[str]] = field(default_factory=dict)

    def visit(self, node: Node, value: Manifest) -> None:
        """Notes what a manifest says."""
        del node
        if isinstance(value, Model) and value.task not in {None, self.task}:
            for ref in value.components:
                if self.task in ref.training:
                    self.components.setdefault(str(value.task), set()).add(ref.id)

    def found(self, stay: Set[Node]) -> tuple[str, ...]:
        """Returns the tasks that hold a component that stays."""
        return tuple(sorted(t for t, ids in self.components.items() if any(("component", oid) in stay for oid in ids)))


def _strays(place: Place, own: _Own, there: list[Node], stay: Set[Node], purged: Purged) -> set[Node]:
    """Returns what else is of the task: what was purged before and is still there, and what nobody ever reached.

    A tombstone that lists what somebody else is just sending takes nothing away: each says itself whose it is.
    """
    strays, loose = set[Node](), [node for node in there if node not in stay]
    for node, value in place.load_all(node for node in loose if node[0] != "component"):
        if isinstance(value, Snapshot) and own.task in value.heads and purged.is_listed(node, own.task):
            strays.add(node)
        if not _is_own(value, own.task):
            continue
        strays.add(node)
        own.visit(node, value)  # type: ignore[arg-type]  # not an error, or it were not the task's own
        if isinstance(value, Model):
            strays |= {("component", ref.id) for ref in value.components if own.task in ref.training}
    listed = (node for node in loose if node[0] == "component" and purged.is_listed(node, own.task))
    strays |= {node for node in listed if node not in strays and own.task in place.taught_by(node[1])}
    return strays - stay


def _is_own(value: Manifest | NotFoundError, task: str) -> bool:
    if isinstance(value, Task):
        return value.name == task and value.source != PURGED_SOURCE
    return isinstance(value, Model | Commit) and value.task == task


def _is_of(place: Place, commit_id: str, task: str) -> bool:
    """Returns whether a commit is history of a task; a purge elsewhere, and what began anew after it, is not.

    That has nothing of what was there before, and may be joined.
    """
    try:
        commit = place.objects.commit(commit_id)
    except NotFoundError:
        return False
    return commit.task == task and not begins_anew(place.objects, commit_id)


def _rule(place: Place, commit: Commit) -> AccessRule:
    return place.objects.task(commit.task_id).access
