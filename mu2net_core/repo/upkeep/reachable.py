"""What the refs of a repository reach: all that must stay when something is deleted.

A tombstone is a claim, and whoever may write here can make it. So all that is alive is followed first, and nothing of
that may be missing. Only then follows what a purge left behind, and there what tombstones list may be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import partial

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Commit, Model, Snapshot, is_name
from mu2net_core.repo.core import (
    Manifest,
    Purged,
    Refs,
    Repository,
    Workers,
    is_epoch_key,
    parse_entry_key,
    parse_tombstone_key,
)
from mu2net_core.repo.remotes import Node, needs, read_tracking
from mu2net_core.repo.upkeep.place import Place

__all__ = ["ABORTED", "Tips", "reach", "ref_tips", "state_tips"]

Visit = Callable[[Node, Manifest], None]
ABORTED = "Nothing was deleted. Run `mu2net fsck`, repair what it finds, then run this again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tips:
    """Where reaching begins.

    Attributes:
        commits: heads, and where they were.
        models: whose arrays are needed, too.
        tags: snapshots whose heads are needed, too.
        others: any further objects.
        faded: commits whose history may be gone, as far as tombstones list it.
    """

    commits: Set[str] = field(default_factory=frozenset)
    models: Set[str] = field(default_factory=frozenset)
    tags: Set[str] = field(default_factory=frozenset)
    others: Set[Node] = field(default_factory=frozenset)
    faded: Set[str] = field(default_factory=frozenset)

    def __or__(self, more: Tips) -> Tips:
        return Tips(
            commits=self.commits | more.commits,
            models=self.models | more.models,
            tags=self.tags | more.tags,
            others=self.others | more.others,
            faded=self.faded | more.faded,
        )


def ref_tips(place: Place, purged: Purged, *, without: str | None = None) -> Tips:
    """Returns all that the refs name: every entry of every head, every tag, every root.

    Args:
        place: whose refs.
        purged: what was purged; entries that a purge left behind name nothing any more.
        without: a task whose head is left out.

    Raises:
        CorruptObjectError: a ref cannot be read, or is of a kind unknown to this version.
    """
    refs, numbers = place.refs, dict[str, list[int]]()
    for key in refs.store.list("refs"):
        entry = parse_entry_key(key)
        if entry is not None:
            numbers.setdefault(entry[0], []).append(entry[1])
        elif not _is_known(key):
            raise CorruptObjectError(f"{key} in {refs.store.url} is no ref that this version knows.", hint=ABORTED)
    alive, faded = list[tuple[str, int]](), list[tuple[str, int]]()
    for task, entries in sorted(numbers.items()):
        if task != without:
            newest = max(entries)
            covered = {number for number in entries if purged.covers_entry(task, number)} - {newest}
            alive += [(task, number) for number in entries if number not in covered]
            faded += [(task, number) for number in sorted(covered) if purged.covers_entry(task, newest)]
    return Tips(
        commits=frozenset(_commits(place, alive)),
        faded=frozenset(_commits(place, faded)),
        models=frozenset(refs.roots().values()),
        tags=frozenset(refs.tags().values()),
    )


def reach(
    place: Place, tips: Tips, purged: Purged, *, spared: str | None = None, visit: Visit | None = None
) -> set[Node]:
    """Returns all objects that ``tips`` reach.

    Args:
        place: where manifests are read.
        tips: where to begin.
        purged: what may be gone.
        spared: a task whose commits no tag holds.
        visit: told of every manifest met.

    Raises:
        CorruptObjectError: a manifest cannot be read, or is missing though nobody purged it, or though it is needed by
            what is alive.
    """
    walk = _Walk(tips=tips, purged=purged, spared=spared, is_there=partial(_is_there, place))
    while walk.fresh or walk.fade():
        batch = sorted(walk.fresh)
        walk.fresh = set()
        for node, value in place.load_all(batch):
            if isinstance(value, NotFoundError):
                walk.drop(node, value)
            else:
                walk.take(node, value)
                if visit is not None:
                    visit(node, value)
    return walk.found


@dataclass(slots=True, kw_only=True)
class _Walk:
    """How far reaching has come.

    Attributes:
        found: all met so far.
        fresh: manifests met and not looked at yet.
        faded: what tips, and heads of tags, may be gone; None once these are followed, too.
    """

    tips: Tips
    purged: Purged
    spared: str | None
    is_there: Callable[[str], bool]
    found: set[Node] = field(default_factory=set)
    fresh: set[Node] = field(default_factory=set)
    faded: set[Node] | None = field(default_factory=set)
    _retained: set[str] = field(default_factory=set)
    _waiting: dict[str, list[Node]] = field(default_factory=dict)
    _held: dict[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._retain(self.tips.models)
        self._hold(self.tips.tags)
        self._add(("commit", oid) for oid in self.tips.commits)
        self._add(self.tips.others)

    def fade(self) -> bool:
        """Goes on from what may be gone; returns whether there is anything."""
        if self.faded is None:
            return False
        late, self.faded = self.faded, None
        self._add(late)
        self._add(("commit", oid) for oid in self.tips.faded)
        return bool(self.fresh)

    def take(self, node: Node, value: Manifest) -> None:
        """Goes on from a manifest."""
        self._add(needs(value))
        if isinstance(value, Commit) and value.model is not None:
            self._retain([value.model])
        elif isinstance(value, Snapshot):
            self._retain(value.roots.values())
            if node[1] in self._held:
                hidden = self._held[node[1]]
                self._name((task, oid) for task, oid in value.heads.items() if task not in hidden)
                self._hold([] if value.base is None else [value.base], hidden | value.heads.keys())
        elif isinstance(value, Model):
            components: list[Node] = [("component", ref.id) for ref in value.components]
            if node[1] in self._retained:
                self._add(components)
            else:
                self._waiting[node[1]] = components

    def drop(self, node: Node, error: NotFoundError) -> None:
        """Accepts that a manifest is gone, if it was purged, and nothing that is alive needs it."""
        if self.faded is not None or self.purged.lists(node) is None:
            raise CorruptObjectError(f"The {node[0]} {node[1]} is missing: {error.message}", hint=ABORTED) from error
        self.found.discard(node)

    def _add(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if node not in self.found:
                self.found.add(node)
                if node[0] != "component":
                    self.fresh.add(node)

    def _retain(self, models: Iterable[str]) -> None:
        for model_id in models:
            if model_id not in self._retained:
                self._retained.add(model_id)
                self._add([("model", model_id), *self._waiting.pop(model_id, [])])

    def _hold(self, snapshots: Iterable[str], hidden: Set[str] = frozenset()) -> None:
        """Notes that the heads of snapshots count, but for ``hidden`` ones, which what stands on them replaces."""
        for oid in snapshots:
            before = self._held.get(oid)
            now = frozenset(hidden) if before is None else before & hidden
            if now != before:
                self._held[oid] = now
                self.found.discard(("snapshot", oid))  # it may have been met as one whose heads do not, or not all
                self._add([("snapshot", oid)])

    def _name(self, heads: Iterable[tuple[str, str]]) -> None:
        """Goes on from the heads of a tag: of those that were purged, once all others are followed."""
        for task, oid in heads:
            if task == self.spared:
                continue
            listed = self.purged.is_listed(("commit", oid), task)
            if self.faded is None or not listed:
                self._add([("commit", oid)])
            elif self.is_there(oid):
                self.faded.add(("commit", oid))


def state_tips(repo: Repository) -> Tips:
    """Returns what the notes on remotes name, as far as it is here: fetched work that no head has yet."""
    notes = [read_tracking(repo.state, remote) for remote in repo.config.remotes.values()]
    commits = {state.commit for note in notes for state in note.heads.values()}
    commits |= {oid for note in notes for oid in note.replaced.values()}
    return Tips(
        faded=frozenset(oid for oid in commits if repo.objects.has("commit", oid)),
        models=frozenset(o for note in notes for o in note.roots.values() if repo.objects.has("model", o)),
        tags=frozenset(o for note in notes for o in note.tags.values() if repo.objects.has("snapshot", o)),
    )


def _is_there(place: Place, commit_id: str) -> bool:
    return place.objects.has("commit", commit_id)


def _commits(place: Place, wanted: Sequence[tuple[str, int]]) -> list[str]:
    """Returns the commits that entries name; elsewhere, several entries are on their way at once."""
    unread = [entry for entry in wanted if entry not in place.entries]
    if place.is_local:
        place.entries.update((entry, _commit(place.refs, *entry)[1]) for entry in unread)
    else:
        with Workers[tuple[tuple[str, int], str]]() as workers:
            for entry in unread:
                workers.submit(partial(_commit, place.refs, *entry))
            place.entries.update(workers.results())
    return [place.entries[entry] for entry in wanted]


def _commit(refs: Refs, task: str, number: int) -> tuple[tuple[str, int], str]:
    return (task, number), refs.entry(task, number)[0].commit


def _is_known(key: str) -> bool:
    """Returns whether a key below ``refs`` that is no head's entry is one this version knows."""
    _, _, name = key.partition("/")
    folder, _, rest = name.partition("/")
    return (folder in {"tags", "roots"} and is_name(rest)) or is_epoch_key(key) or parse_tombstone_key(key) is not None
