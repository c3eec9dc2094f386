"""Reads every object of a repository, hashes it and decodes it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mu2net_core.codec import decode_component
from mu2net_core.errors import Mu2netError
from mu2net_core.objects import (
    KINDS,
    LIMITS,
    Commit,
    Kind,
    Limits,
    Model,
    Snapshot,
    Task,
    encode,
    hash_bytes,
    object_key,
    parse_object_key,
)
from mu2net_core.repo.database import decode_manifest
from mu2net_core.repo.findings import Problem
from mu2net_core.storage import Store

__all__ = ["Scan", "scan_objects"]


@dataclass(slots=True, kw_only=True)
class Scan:
    """All good objects of a repository, and what is wrong with the others.

    Attributes:
        models: manifests by id; likewise the next three.
        components: numbers in the parameters and bytes of the file, by id.
        damaged: (kind, id) of objects whose bytes are not theirs.
        problems: found so far.
        counts: objects by kind, and bytes.
    """

    models: dict[str, Model] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    components: dict[str, tuple[int, int]] = field(default_factory=dict)
    damaged: set[tuple[Kind, str]] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def scan_objects(store: Store, limits: Limits = LIMITS) -> Scan:
    """Returns the objects in ``store``; holds one component's arrays at a time in memory."""
    scan = Scan()
    for kind in KINDS:
        scan.counts[kind] = 0
        for key in store.list(f"objects/{kind}"):
            parsed = parse_object_key(key)
            if parsed is None:
                scan.problems.append(
                    Problem(kind="damaged-object", object=key, message="This is not an object's name.")
                )
                continue
            scan.counts[kind] += 1
            _check(scan, store, kind, parsed[1], limits)
    return scan


def _check(scan: Scan, store: Store, kind: Kind, oid: str, limits: Limits) -> None:
    try:
        data = store.read(object_key(kind, oid), limit=limits.max_bytes(kind))
        scan.counts["bytes"] += len(data)
        found = hash_bytes(data)
        if found != oid:
            message = f"{len(data)} bytes whose hash is {found[:16]}…, not the id."
            scan.problems.append(Problem(kind="damaged-object", object=f"{kind}/{oid}", message=message))
            scan.damaged.add((kind, oid))
            return
        _keep(scan, kind, oid, data, limits)
    except Mu2netError as exc:
        scan.problems.append(Problem(kind="damaged-object", object=f"{kind}/{oid}", message=exc.message))


def _keep(scan: Scan, kind: Kind, oid: str, data: bytes, limits: Limits) -> None:
    what = f"{kind} {oid[:16]}"
    if kind == "component":
        scan.components[oid] = (decode_component(data, limits=limits).num_params, len(data))
        return
    value: Model | Task | Commit | Snapshot
    if kind == "model":
        value = scan.models[oid] = decode_manifest(Model, data, what=what, limits=limits)
    elif kind == "task":
        value = scan.tasks[oid] = decode_manifest(Task, data, what=what, limits=limits)
    elif kind == "commit":
        value = scan.commits[oid] = decode_manifest(Commit, data, what=what, limits=limits)
    else:
        value = scan.snapshots[oid] = decode_manifest(Snapshot, data, what=what, limits=limits)
    if hash_bytes(encode(value)) != oid and len(encode(value)) >= len(data):
        message = "Its bytes are not canonical JSON."
        scan.problems.append(Problem(kind="damaged-object", object=f"{kind}/{oid}", message=message))
