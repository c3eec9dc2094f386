"""Reads the objects of a repository, hashes them and decodes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from mu2net_core.codec import decode_component
from mu2net_core.errors import CorruptObjectError, Mu2netError, NewerError, NotFoundError
from mu2net_core.objects import (
    KINDS,
    Commit,
    Kind,
    Label,
    Model,
    Snapshot,
    Task,
    encode,
    hash_bytes,
    object_key,
    parse_object_key,
    unknown_in,
)
from mu2net_core.repo.checking.patient import Patient
from mu2net_core.repo.core import MANIFESTS, Manifest, Problem, ProblemKind, Workers, decode_formatted, told_link

__all__ = ["Scan", "Share", "Watch", "scan_objects"]

Share = tuple[int, int]
"""The n-th of m parts of all objects, from 1, by their ids."""

Watch = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much it is."""

_USUAL_BYTES = 65_536
_PER_WATCH = 100
_NO_LABEL = Label()


@dataclass(slots=True, kw_only=True)
class Scan:
    """All good objects of a repository, and what is wrong with the others.

    Attributes:
        models: manifests by id; likewise the next three.
        components: numbers in the parameters and bytes of the file, by id; None if only that it is there was seen.
        labels: what those that were read tell of themselves, by id.
        damaged: (kind, id) of objects whose bytes are not theirs.
        unread: those that are there and cannot be read, or not be understood.
        problems: found so far.
        warnings: what does no harm, likewise.
        counts: objects by kind, and bytes that were hashed.
    """

    models: dict[str, Model] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    components: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    damaged: set[tuple[Kind, str]] = field(default_factory=set)
    unread: set[tuple[Kind, str]] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def renew(self, patient: Patient, node: tuple[Kind, str]) -> None:
        """Reads an object again that was restored."""
        about = f"{node[0]}/{node[1]}"
        was_there = any(problem.object == about for problem in self.problems)
        self.problems = [problem for problem in self.problems if problem.object != about]
        self.warnings = [warning for warning in self.warnings if warning.object != about]
        self.damaged.discard(node)
        self.unread.discard(node)
        self.counts[node[0]] += not was_there
        self.keep(_look(patient, node))

    def keep(self, found: _Found) -> None:
        """Notes what one object is, or what is wrong with it."""
        kind, oid = found.node
        self.counts["bytes"] += found.size_bytes
        if found.unknown is not None:
            message = f"A newer mu2net made it: {found.unknown}. It is kept as it is, and cannot be used here."
            self.warnings.append(Problem(kind="newer", object=f"{kind}/{oid}", message=message))
        if found.problem is not None:
            what: ProblemKind = "newer" if found.is_newer else "damaged-object"
            self.problems.append(Problem(kind=what, object=f"{kind}/{oid}", message=found.problem))
            (self.damaged if found.is_damaged else self.unread).add(found.node)
        if found.num_params is not None:
            self.components[oid] = found.num_params, found.size_bytes
            self.labels[oid] = found.label
        elif isinstance(found.value, Model):
            self.models[oid] = found.value
        elif isinstance(found.value, Task):
            self.tasks[oid] = found.value
        elif isinstance(found.value, Commit):
            self.commits[oid] = found.value
        elif isinstance(found.value, Snapshot):
            self.snapshots[oid] = found.value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One object as it was read: what it is, or what is wrong with it."""

    node: tuple[Kind, str]
    size_bytes: int = 0
    value: Manifest | None = None
    num_params: int | None = None
    label: Label = _NO_LABEL
    problem: str | None = None
    is_damaged: bool = False
    is_newer: bool = False
    unknown: str | None = None


def scan_objects(patient: Patient, *, share: Share | None = None, watch: Watch = lambda *_: None) -> Scan:
    """Returns the objects of a repository; holds few components at a time in memory.

    Args:
        patient: the repository.
        share: which part of them is hashed. Of the others, manifests are taken from a copy at hand where there is one,
            and components are only looked for.
        watch: told of progress.
    """
    scan, nodes = Scan(), list[tuple[Kind, str]]()
    for kind in KINDS:
        scan.counts[kind] = 0
        for key in _listed(patient, scan, f"objects/{kind}"):
            parsed = parse_object_key(key)
            if parsed is None:
                message = told_link(patient.store, key) or "This is not an object's name."
                scan.problems.append(Problem(kind="damaged-object", object=key, message=message))
            else:
                scan.counts[kind] += 1
                nodes.append(parsed)
    hashed = [node for node in nodes if share is None or int(node[1][:12], 16) % share[1] == share[0] - 1]
    chosen = set(hashed)
    others = [node for node in nodes if node not in chosen]
    for _, oid in (node for node in others if node[0] == "component"):
        scan.components[oid] = None
    jobs = [(node, partial(_look, patient, node)) for node in hashed]
    jobs += [(node, partial(_glance, patient, node)) for node in others if node[0] != "component"]
    jobs.sort(key=lambda job: job[0][0] == "component")  # manifests first: they tell the components' sizes
    for done, found in enumerate(_all(patient, scan, jobs), start=1):
        scan.keep(found)
        if done % _PER_WATCH == 0 or done == len(jobs):
            watch("checking objects", done, len(jobs))
    return scan


def _listed(patient: Patient, scan: Scan, folder: str) -> list[str]:
    """Returns the keys in a folder; none if that is a link, which is noted."""
    try:
        return list(patient.store.list(folder))
    except CorruptObjectError as exc:
        scan.problems.append(Problem(kind="damaged-object", object=folder, message=exc.message))
        return []


def _all(
    patient: Patient, scan: Scan, jobs: Iterable[tuple[tuple[Kind, str], Callable[[], _Found]]]
) -> Iterator[_Found]:
    """Yields what jobs find; elsewhere, several objects are on their way at once, with a bound on their bytes."""
    if patient.is_local:
        for _, job in jobs:
            yield job()
        return
    components = []
    with Workers[_Found]() as workers:
        for node, job in jobs:
            if node[0] == "component":
                components.append((node[1], job))
            else:
                workers.submit(job, size_bytes=_USUAL_BYTES)
        yield from workers.results()
    sizes = {ref.id: ref.size_bytes for model in scan.models.values() for ref in model.components}
    with Workers[_Found]() as workers:
        for oid, job in components:
            workers.submit(job, size_bytes=sizes.get(oid, patient.objects.limits.component_bytes))
        yield from workers.results()


def _glance(patient: Patient, node: tuple[Kind, str]) -> _Found:
    """Returns a manifest, from a copy at hand if there is one."""
    if patient.near is not None:
        try:
            data = patient.near.read(*node)
        except Mu2netError:
            pass
        else:
            return replace(_decoded(patient, node, data), size_bytes=0)  # not hashed over there
    return _look(patient, node)


def _look(patient: Patient, node: tuple[Kind, str]) -> _Found:
    """Reads one object; a second time before it is called damaged, because reading fails, too."""
    key, limit = object_key(*node), patient.objects.max_bytes(node[0])
    try:
        data = patient.store.read(key, limit=limit)
        found = hash_bytes(data)
        if found != node[1]:
            data = patient.store.read(key, limit=limit)
            found = hash_bytes(data)
    except NotFoundError:
        return _Found(node=node, problem="It was listed, and is not there.", is_damaged=True)
    except Mu2netError as exc:
        return _Found(node=node, problem=exc.message, is_damaged=isinstance(exc, CorruptObjectError))
    if found != node[1]:
        message = f"{len(data)} bytes whose hash is {found[:16]}…, not the id."
        return _Found(node=node, size_bytes=len(data), problem=message, is_damaged=True)
    return _decoded(patient, node, data)


def _decoded(patient: Patient, node: tuple[Kind, str], data: bytes) -> _Found:
    kind, oid = node
    limits, size = patient.objects.limits, len(data)
    try:
        if kind == "component":
            component = decode_component(data, limits=limits)
            return _Found(node=node, size_bytes=size, num_params=component.num_params, label=component.label)
        value = decode_formatted(MANIFESTS[kind], data, what=f"{kind} {oid[:16]}", limits=limits)
    except Mu2netError as exc:
        return _Found(node=node, size_bytes=size, problem=exc.message, is_newer=isinstance(exc, NewerError))
    if isinstance(value, Task | Model) and (unknown := unknown_in(value)) is not None:
        return _Found(node=node, size_bytes=size, value=value, unknown=unknown)
    again = encode(value)
    odd = again != data and len(again) >= size
    return _Found(node=node, size_bytes=size, value=value, problem="Its bytes are not canonical JSON." if odd else None)
