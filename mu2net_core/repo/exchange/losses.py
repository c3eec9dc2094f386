"""What of that which was seen of a remote is not there any more, and in words."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from mu2net_core.errors import Mu2netError, NotFoundError
from mu2net_core.objects import Commit, Model, Snapshot
from mu2net_core.repo.core import CONFIG, HeadState, ObjectDatabase, Purged, Remote, Tombstone, is_purge
from mu2net_core.repo.history import ancestry
from mu2net_core.repo.remotes import Node, RemoteRepository, Sight, Tracking, load_manifest, needs, without_others

__all__ = [
    "GONE",
    "Losses",
    "check_same",
    "find_losses",
    "find_lost_heads",
    "find_lost_refs",
    "needed",
    "tagged",
]

GONE = "all of it"
"""What is lost of a remote where nothing is left, or another repository is, in words."""

_NOTHING: Mapping[str, tuple[int, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What is not there, though it was.

    Attributes:
        config: whether it is the settings of the repository.
        epoch: whether it is the epoch, and there is no other.
        entries: the numbers of lost entries, by task, in order.
        tags: their names.
        roots: their names.
        stones: tombstones.
        objects: kind and id.
    """

    config: bool = False
    epoch: bool = False
    entries: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: _NOTHING)
    tags: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    stones: tuple[Tombstone, ...] = ()
    objects: frozenset[Node] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """What it is, one short text each."""
        found = [CONFIG] if self.config else []
        found += ["the epoch"] if self.epoch else []
        found += [_entries(task, numbers) for task, numbers in sorted(self.entries.items()) if numbers]
        found += [f"root {name}" for name in self.roots] + [f"tag {name}" for name in self.tags]
        found += [f"a tombstone of {stone.task}" for stone in self.stones]
        counts = Counter(kind for kind, _ in self.objects)
        found += [f"{count} {kind}{'s' * (count > 1)}" for kind, count in sorted(counts.items())]
        return tuple(found)


def find_losses(objects: ObjectDatabase, tracking: Tracking, stones: Sequence[Tombstone], sight: Sight) -> Losses:
    """Returns what is not there of all that was seen; reads nothing over there.

    Args:
        objects: ours: they tell what the heads seen there reach.
        tracking: what was seen.
        stones: tombstones that were seen.
        sight: what is there, all of it.

    Tombstones excuse nothing but what the histories need that they say were purged: others go on, and must be whole.
    """
    purged = Purged(without_others(stones, objects))
    tips = set(_tips(objects, tracking, sight))
    old = {node for node in tips if node[0] == "commit" and purged.covers_commit(objects, node[1]) is not None}
    nodes = needed(objects, tips - old, Purged()) | needed(objects, old, purged)
    return replace(
        find_lost_refs(tracking, sight, stones),
        config=CONFIG not in sight.keys,
        objects=frozenset(node for node in nodes if not sight.has(node)),
    )


def _tips(objects: ObjectDatabase, tracking: Tracking, sight: Sight) -> Iterator[Node]:
    """Yields what was seen that heads, roots and tags name, as far as it is here and no purge took it since."""
    named: list[Node] = [("commit", state.commit) for state in tracking.heads.values()]
    named += [("model", oid) for oid in tracking.roots.values()]
    for snapshot_id in tracking.tags.values():
        named.append(("snapshot", snapshot_id))
        for task, oid in tagged(objects, snapshot_id).items():
            is_gone = not sight.has(("commit", oid)) and _is_purged_since(objects, tracking.heads.get(task), oid)
            named += [] if is_gone else [("commit", oid)]
    return (node for node in named if objects.has(*node))


def _is_purged_since(objects: ObjectDatabase, head: HeadState | None, commit_id: str) -> bool:
    """Returns whether a purge took a commit that a tag names: its head went on from one, and without that."""
    if head is None:
        return False
    try:
        history = tuple(ancestry(objects, [head.commit]))
        return commit_id not in history and any(is_purge(objects.commit(oid)) for oid in history)
    except Mu2netError:
        return False


def find_lost_refs(tracking: Tracking, sight: Sight, stones: Sequence[Tombstone]) -> Losses:
    """Returns the refs that were seen and are not there; arguments as above, of ``sight`` the refs are enough.

    Of entries that came after those that were seen, so that there is a gap, the first is one of them.
    """
    entries = {task: sight.missing(task, state.number) for task, state in tracking.heads.items()}
    return Losses(
        epoch=tracking.epoch is not None and not sight.has_epoch,
        stones=tuple(_lost_stones(stones, sight)),
        entries={task: numbers for task, numbers in entries.items() if numbers},
        tags=tuple(name for name in sorted(tracking.tags) if f"refs/tags/{name}" not in sight.keys),
        roots=tuple(name for name in sorted(tracking.roots) if f"refs/roots/{name}" not in sight.keys),
    )


def find_lost_heads(objects: ObjectDatabase, tracking: Tracking, stones: Sequence[Tombstone], sight: Sight) -> Losses:
    """Returns the lost refs, and what is gone of that which heads and roots need first; arguments as above."""
    purged, lost = Purged(without_others(stones, objects)), set[Node]()
    for state in tracking.heads.values():
        gone = {node for node in _first_needs(objects, state.commit) if not sight.has(node)}
        is_old = gone and purged.covers_commit(objects, state.commit) is not None
        lost |= {node for node in gone if not is_old or purged.lists(node) is None}
    roots: list[Node] = [("model", oid) for oid in tracking.roots.values()]
    lost |= {node for node in roots if not sight.has(node)}
    known = bool(tracking.heads or tracking.roots)
    refs = find_lost_refs(tracking, sight, stones)
    return replace(refs, config=known and CONFIG not in sight.keys, objects=frozenset(lost))


def _first_needs(objects: ObjectDatabase, commit_id: str) -> Iterator[Node]:
    """Yields a head's commit and model, and what they name: not the history."""
    yield "commit", commit_id
    try:
        commit = objects.commit(commit_id)
        yield from needs(commit)
        model = None if commit.model is None else objects.model(commit.model)
    except Mu2netError:
        return
    if model is not None:
        yield from needs(model)
        yield from (("component", ref.id) for ref in model.components)


def needed(objects: ObjectDatabase, tips: Iterable[Node], purged: Purged) -> set[Node]:
    """Returns all objects that must be where ``tips`` are, components of retained models included.

    What cannot be read here ends its line; what was purged is left out.
    """
    pending, found, parts = list(tips), set[Node](), dict[str, list[Node]]()
    retained = {oid for kind, oid in pending if kind == "model"}
    while pending:
        node = pending.pop()
        if node in found or purged.lists(node) is not None:
            continue
        found.add(node)
        try:
            value = load_manifest(objects, node)
        except Mu2netError:
            continue
        pending += needs(value)
        if isinstance(value, Model):
            parts[node[1]] = [("component", ref.id) for ref in value.components]
        elif isinstance(value, Commit):
            retained.update([] if value.model is None else [value.model])
        elif isinstance(value, Snapshot):
            retained.update(value.roots.values())
    whole = {part for oid in retained & parts.keys() for part in parts[oid]}
    return found | {part for part in whole if purged.lists(part) is None}


def tagged(objects: ObjectDatabase, snapshot_id: str) -> dict[str, str]:
    """Returns the commits that a tag names, by task; none if that cannot be read here."""
    try:
        return dict(objects.snapshot(snapshot_id).heads)
    except Mu2netError:
        return {}


def check_same(
    objects: ObjectDatabase, remote: RemoteRepository, tracking: Tracking, sight: Sight, *, is_own: bool
) -> None:
    """Checks that there is what is left of the repository that was seen.

    Args:
        objects: ours.
        remote: to look at.
        tracking: what was seen.
        sight: its refs and commits now.
        is_own: whether its identity says that it is a copy of ours; if that is lost, what it has must tell.

    Raises:
        NotFoundError: nothing of it is left, or another repository is in its place.
    """
    if sight.is_in_epoch(tracking.epoch) or not (tracking.heads or tracking.roots):
        return
    if sight.is_empty:
        raise _gone_error(remote.remote, remote.store.url, another=False)
    if not is_own and _is_another(objects, remote, tracking, sight):
        raise _gone_error(remote.remote, remote.store.url, another=sight.has_refs or CONFIG in sight.keys)


def _is_another(objects: ObjectDatabase, remote: RemoteRepository, tracking: Tracking, sight: Sight) -> bool:
    """Returns whether nothing of what was seen is in a repository of another epoch.

    That is: no commit of the histories, and, since a purge may have taken all of these, no entry of a head.
    """
    tips = [state.commit for state in tracking.heads.values() if objects.has("commit", state.commit)]
    seen = {state.commit for state in tracking.heads.values()}.union(ancestry(objects, tips))
    if not seen or any(sight.has(("commit", oid)) for oid in seen):
        return False
    return not any(remote.refs.holds(state) for state in tracking.heads.values())


def _gone_error(remote: Remote, url: str, *, another: bool) -> NotFoundError:
    """Returns the error for a remote whose repository is not there any more, or is another one."""
    what = "there is another one now, which has nothing in common with it" if another else "nothing of it is left"
    return NotFoundError(
        f"The repository that was at {url} is gone: {what}. Nothing was taken over, and no head was moved.",
        hint="Bring it back (is a disk or share not mounted?). If it moved: `mu2net remote add NAME WHERE`. Or begin "
        f"anew with what is there: {_anew(remote)}, then `mu2net {'pull' if another else 'push'} {remote.name}`",
    )


def _anew(remote: Remote) -> str:
    """Returns the commands that let a working copy forget what was at a remote."""
    words = ["mu2net", "remote", "add", remote.name, remote.url]
    for name, value in sorted(remote.options.items()):
        words += ["--anonymous"] if name == "anonymous" else [f"--{name}", value]
    words += ["--readers", ",".join(remote.readers)] if remote.readers else []
    return f"`mu2net remote remove {remote.name}`, then `{shlex.join(words)}`"


def _lost_stones(stones: Sequence[Tombstone], sight: Sight) -> Iterable[Tombstone]:
    """Yields the tombstones of tasks that have fewer over there than were seen; making them again does no harm."""
    counts = Counter(stone.task for stone in stones)
    return (stone for stone in stones if sight.num_stones.get(stone.task, 0) < counts[stone.task])


def _entries(task: str, numbers: tuple[int, ...]) -> str:
    if len(numbers) == 1:
        return f"entry {numbers[0]} of {task}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"entries {numbers[0]} to {numbers[-1]} of {task}"
    return f"entries {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} of {task}"
