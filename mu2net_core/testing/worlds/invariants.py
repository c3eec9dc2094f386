"""What must be true of every repository at every moment, looked up in its files without the code that wrote them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from blake3 import blake3

__all__ = ["Inspector", "Node", "Purged", "head_log", "object_file", "purged", "reached"]

Node: TypeAlias = tuple[str, str]
_SUFFIX = {"component": ".zarr.zip"}


@dataclass(slots=True)
class Inspector:
    """Looks at whole repositories again and again, and remembers what may never change.

    Attributes:
        refs: every ref file ever seen, by repository and key.
        files: objects whose hash was right, by path, with what the file system said of them then.
    """

    refs: dict[tuple[Path, str], bytes] = field(default_factory=dict)
    files: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def check(self, repo: Path, *, elsewhere: Path | None = None, lazy: bool = False) -> None:
        """Asserts that refs chain and never changed, and that all they reach is there and hashes right.

        Args:
            repo: the folder with ``config.toml``.
            elsewhere: another repository that components may be in instead, unless they were purged from it.
            lazy: whether components may be nowhere, since somebody else has to keep them.
        """
        self.check_objects(repo)
        self.check_refs(repo)
        taken = purged(elsewhere).nodes if elsewhere is not None else frozenset[Node]()
        for kind, oid in reached(repo, purged(repo)):
            here = object_file(repo, kind, oid).is_file()
            there = kind == "component" and elsewhere is not None and object_file(elsewhere, kind, oid).is_file()
            there = there or (kind == "component" and (lazy or (kind, oid) in taken))
            assert here or there, f"{kind} {oid} is reached and not in {repo}"

    def check_objects(self, repo: Path) -> None:
        """Asserts that every object hashes to its name."""
        for path in _files(repo / "objects"):
            told = os.stat(path)  # noqa: PTH116  thousands of times
            print_ = (told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
            if self.files.get(path) == print_:
                continue
            parts = path.split("/")
            name = parts[-2] + parts[-1].partition(".")[0]
            assert blake3(Path(path).read_bytes()).hexdigest() == name, f"{path} holds other bytes"
            self.files[path] = print_

    def check_refs(self, repo: Path) -> None:
        """Asserts that no ref changed or went, that entries are contiguous and chain, and that none came twice."""
        found = _refs_of(repo)
        for key, data in found.items():
            assert self.refs.setdefault((repo, key), data) == data, f"{key} in {repo} was changed"
        kept = [key for (of, key) in self.refs if of == repo and not key.startswith("refs/epoch/")]
        lost = [key for key in kept if key not in found]
        assert not lost, f"{lost} went from {repo}"
        for task in {key[len("refs/heads/") : -9] for key in found if key.startswith("refs/heads/")}:
            commits = head_log(repo, task)
            assert len(set(commits)) == len(commits), f"the head of {task} in {repo} moved to one commit twice"

    def forget(self, repo: Path) -> None:
        """Takes ``repo`` for a new one from now on."""
        self.refs = {place: data for place, data in self.refs.items() if place[0] != repo}


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What tombstones say: up to which entry each head was purged, and which objects went with it."""

    through: Mapping[str, int]
    nodes: frozenset[Node]


def _refs_of(repo: Path) -> dict[str, bytes]:
    """Returns the bytes of every ref by key."""
    return {path[len(str(repo)) + 1 :]: Path(path).read_bytes() for path in _files(repo / "refs")}


def head_log(repo: Path, task: str) -> list[str]:
    """Returns the commits a head moved to, oldest first; asserts that its entries are contiguous and chain."""
    folder = repo / "refs" / "heads" / task
    names = sorted(file.name for file in folder.iterdir() if file.name.isdigit()) if folder.is_dir() else []
    assert names == [f"{number:08d}" for number in range(1, len(names) + 1)], f"a gap in {folder}"
    commits, previous = [], None
    for name in names:
        data = (folder / name).read_bytes()
        entry = json.loads(data)
        assert entry["previous"] == previous, f"{folder}/{name} does not follow the entry before it"
        commits.append(entry["commit"])
        previous = blake3(data).hexdigest()
    return commits


def purged(repo: Path) -> Purged:
    """Returns what the tombstones of a repository say."""
    through: dict[str, int] = {}
    nodes: set[Node] = set()
    for key, data in _refs_of(repo).items():
        if key.startswith("refs/purged/"):
            told = json.loads(data)
            task = key.removeprefix("refs/purged/").rpartition("/")[0]
            through[task] = max(through.get(task, 0), told["through"])
            nodes.update(tuple(name.split("/")) for name in told["objects"])
    return Purged(through=through, nodes=frozenset(nodes))


def reached(repo: Path, gone: Purged) -> set[Node]:
    """Returns every object that a ref of ``repo`` reaches, but not what was purged."""
    pending: list[Node] = []
    for key, data in _refs_of(repo).items():
        if key.startswith("refs/heads/"):
            task, _, number = key.removeprefix("refs/heads/").rpartition("/")
            if int(number) > gone.through.get(task, 0):
                pending.append(("commit", json.loads(data)["commit"]))
        elif key.startswith("refs/roots/"):
            pending += [("model", data.decode().strip()), ("retained", data.decode().strip())]
        elif key.startswith("refs/tags/"):
            pending.append(("tagged", data.decode().split("\n")[0]))
    found: set[Node] = set()
    while pending:
        node = pending.pop()
        if node in found or node in gone.nodes:
            continue
        found.add(node)
        if node[0] != "component":
            pending += _needs(*node, _reader(repo))
    return {node for node in found if node[0] not in {"retained", "tagged"}}


def _reader(repo: Path) -> Callable[[str, str], dict[str, Any]]:
    return lambda kind, oid: _manifest(str(object_file(repo, kind, oid)))


@lru_cache(maxsize=100_000)
def _manifest(path: str) -> dict[str, Any]:
    assert os.path.isfile(path), f"{path} is reached and missing"  # noqa: PTH113
    value: dict[str, Any] = json.loads(Path(path).read_bytes())
    return value


def _needs(kind: str, oid: str, read: Callable[[str, str], dict[str, Any]]) -> list[Node]:
    if kind == "retained":
        return [("component", ref["id"]) for ref in read("model", oid)["components"]]
    if kind == "tagged":
        snapshot = read("snapshot", oid)
        named = [("snapshot", oid), ("tagged", snapshot.get("base"))]
        return [(what, name) for what, name in named if name] + [("commit", o) for o in snapshot["heads"].values()]
    value = read(kind, oid)
    if kind == "commit":
        named = [("task", value["task_id"]), ("snapshot", value.get("snapshot")), ("model", value.get("model"))]
        named += [("snapshot", later["snapshot"]) for later in value.get("run", {}).get("seen", ())]
        named += [("retained", value.get("model")), *(("commit", parent) for parent in value.get("parents", ()))]
    elif kind == "model":
        named = [("model", value.get("parent")), ("model", value.get("root")), ("task", value.get("task_id"))]
    elif kind == "snapshot":
        named = [(what, root) for root in value["roots"].values() for what in ("model", "retained")]
        named.append(("snapshot", value.get("base")))
    else:
        named = []
    return [(what, name) for what, name in named if name is not None]


def object_file(repo: Path, kind: str, oid: str) -> Path:
    """Returns where an object lies."""
    return repo / "objects" / kind / oid[:2] / f"{oid[2:]}{_SUFFIX.get(kind, '.json')}"


def _files(folder: Path | str) -> Iterator[str]:
    """Yields every file below ``folder`` that is no temporary one."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except FileNotFoundError:
        return
    for entry in found:
        if entry.is_dir():
            yield from _files(entry.path)
        elif not entry.name.startswith("."):
            yield entry.path
