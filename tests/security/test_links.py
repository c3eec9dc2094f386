"""Links in a repository that others write to: none is read, listed or written through, and each is named."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.objects import Snapshot
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import examine, fsck
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.probing.place_probe import probe
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.upkeep.gc import collect
from mu2net_core.repo.upkeep.place import here, there
from mu2net_core.storage import FileLock, LocalStore
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

FOLDERS = (
    "refs",
    "refs/heads",
    "refs/heads/cats",
    "refs/tags",
    "objects",
    "objects/component",
    "objects/commit",
    "reports",
    "reports/cats",
    "leases",
    "state",
)
CHECKED = FOLDERS[:-2]
"""What ``fsck`` looks into."""


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy that pushed two tasks, a tag and a root long ago, and has a new task besides."""
    repo = sample_repository(tmp_path / "ann")
    repo.update_config(lambda config: config.with_remote(origin))
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("one", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    push(repo, origin)
    grow_old(tmp_path / "shared")
    add_sample_task(repo, "birds")
    evolve_sample(repo, "birds", score=0.5)
    return open_repository(repo.worktree)


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    return Remote(name="origin", url=str(tmp_path / "shared"), partial=False)


@pytest.fixture
def shared(tmp_path: Path, ann: Repository) -> Repository:
    """Returns the bare repository that ann pushed to."""
    return open_repository(tmp_path / "shared")


def grow_old(folder: Path) -> None:
    then = time.time() - 86400 * 40
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (then, then))


def replace_by_link(repo: Repository, place: str, *, relative: bool = False) -> Path:
    """Moves a folder or file of a repository out of it, puts a link there; returns where it is now."""
    path, away = repo.path / place, repo.path.parent / "elsewhere"
    if path.exists():
        shutil.move(path, away)
    else:
        away.mkdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(away, path.parent) if relative else away)
    return away


def content(folder: Path) -> Mapping[str, tuple[bytes, int]]:
    """Returns all files of a folder or file: what is in them, and when they were written."""
    files = [folder, *folder.rglob("*")]
    return {str(f): (f.read_bytes(), f.stat().st_mtime_ns) if f.is_file() else (b"", 0) for f in files}


def an_object(repo: Repository, kind: str) -> str:
    return next(repo.store.list(f"objects/{kind}"))


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("place", FOLDERS)
def test_garbage_is_not_collected_while_something_may_be_behind_a_link(
    shared: Repository, ann: Repository, origin: Remote, place: str, relative: bool
) -> None:
    away = replace_by_link(shared, place, relative=relative)
    before = content(shared.path), content(away)
    for where in (here(shared), there(connect(origin), ann)):
        with pytest.raises(CorruptObjectError, match=f"shared/{place} is a link"):
            collect(where, dry_run=False)
    assert (content(shared.path), content(away)) == before


@pytest.mark.parametrize("place", [*FOLDERS, "refs/tags/one", "refs/heads/cats/00000001"])
def test_nothing_is_written_through_a_link(shared: Repository, ann: Repository, origin: Remote, place: str) -> None:
    away = replace_by_link(shared, place)
    before = content(away)
    told = []
    for act in (
        lambda: push(ann, origin),
        lambda: push(ann, origin, tasks=("cats",)),
        lambda: collect(there(connect(origin), ann), dry_run=False),
        lambda: examine(patient_there(connect(origin), ann), source=ann),
        lambda: shared.store.create(f"{place}/new", b"x"),
        lambda: shared.store.refresh(f"{place}/new", b"x"),
        lambda: shared.store.delete(f"{place}/00000001"),
    ):
        try:
            act()
        except Mu2netError as exc:
            told.append(exc.message)
    assert content(away) == before
    assert any(f"shared/{place} is a link" in message for message in told)


@pytest.mark.parametrize("place", [place for place in FOLDERS if place != "state"])
def test_what_is_behind_a_link_is_neither_listed_nor_read(shared: Repository, place: str) -> None:
    keys = [key for key in shared.store.list("") if key.startswith(f"{place}/")]
    replace_by_link(shared, place)
    store = LocalStore(shared.path)
    assert not set(keys) & set(store.list(""))
    assert place in set(store.list(""))
    for key in [*keys, f"{place}/nothing"]:
        for ask in (store.read, store.exists, store.size, store.modified, store.local_path):
            with pytest.raises(CorruptObjectError, match="is a link"):
                ask(key)
    with pytest.raises(CorruptObjectError, match="is a link"):
        list(store.list(place))


def test_a_head_behind_a_link_is_the_same_for_whoever_asks(shared: Repository) -> None:
    replace_by_link(shared, "refs/heads/cats")
    refs = open_repository(shared.path).refs
    assert refs.tasks() == ("dogs",)
    assert set(refs.heads()) == {"dogs"}
    with pytest.raises(CorruptObjectError, match="refs/heads/cats is a link"):
        refs.head("cats")


def test_an_entry_that_is_a_link_is_the_same_for_whoever_asks(shared: Repository) -> None:
    replace_by_link(shared, "refs/heads/cats/00000002")
    refs = open_repository(shared.path).refs
    assert refs.numbers()["cats"] == 2
    for ask in (lambda: refs.head("cats"), lambda: refs.entry("cats", 2), lambda: refs.log("cats")):
        with pytest.raises(CorruptObjectError, match="refs/heads/cats/00000002 is a link"):
            ask()


@pytest.mark.parametrize("place", [*CHECKED, "refs/tags/one", "refs/heads/cats/00000002"])
def test_fsck_names_a_link_and_says_what_to_do(shared: Repository, ann: Repository, origin: Remote, place: str) -> None:
    replace_by_link(shared, place)
    for report in (fsck(open_repository(shared.path)), examine(patient_there(connect(origin), ann))):
        found = [problem for problem in report.problems if "is a link" in problem.message]
        assert any(problem.object.startswith(place) for problem in found)
        assert all("put what it leads to in its place, or delete it" in problem.message for problem in found)
        assert {problem.kind for problem in found} == {"damaged-ref" if place.startswith("refs") else "damaged-object"}


@pytest.mark.parametrize("kind", ["component", "model", "commit", "task", "snapshot"])
def test_an_object_that_is_a_link_is_damaged_and_can_be_repaired(
    shared: Repository, ann: Repository, origin: Remote, kind: str
) -> None:
    key = an_object(shared, kind)
    away = replace_by_link(shared, key)
    before = content(away)
    problems = fsck(open_repository(shared.path)).problems
    assert any(p.kind == "damaged-object" and "is a link" in p.message for p in problems)
    report = examine(patient_there(connect(origin), ann), source=ann)
    assert not [p for p in report.problems if p.kind != "access"]
    assert not (shared.path / key).is_symlink()
    assert content(away) == before


def test_a_repair_goes_on_around_what_is_behind_links(shared: Repository, ann: Repository, origin: Remote) -> None:
    linked, lost = sorted({f"objects/component/{oid[:2]}" for oid in shared.objects.ids("component")})[:2]
    away = replace_by_link(shared, linked)
    shutil.rmtree(shared.path / lost)
    before = content(away)
    report = examine(patient_there(connect(origin), ann), source=ann)
    assert (shared.path / lost).is_dir()
    assert content(away) == before
    assert any(problem.object == linked and "is a link" in problem.message for problem in report.problems)


@pytest.mark.parametrize("place", ["state", "state/corrupt", "state/agent", "state/config.lock", "config.toml"])
def test_a_repository_whose_own_files_are_links_is_not_opened(shared: Repository, place: str) -> None:
    away = replace_by_link(shared, place)
    before = content(away)
    with pytest.raises(CorruptObjectError, match=f"{place} is a link"):
        open_repository(shared.path)
    assert content(away) == before


def test_damaged_files_are_not_set_aside_through_a_link(shared: Repository, ann: Repository, origin: Remote) -> None:
    key = an_object(shared, "commit")
    (shared.path / key).write_bytes(b"damaged")
    away = replace_by_link(shared, "state/corrupt")
    with pytest.raises(CorruptObjectError, match="state/corrupt is a link"):
        examine(patient_there(connect(origin), ann), source=ann)
    assert list(away.iterdir()) == []


def test_a_probe_leaves_alone_what_is_behind_a_link(tmp_path: Path, ann: Repository) -> None:
    place, away = tmp_path / "place", tmp_path / "away"
    (away / "kept").mkdir(parents=True)
    place.mkdir()
    (place / "probe").symlink_to(away)
    with pytest.raises(CorruptObjectError, match="probe is a link"):
        probe(LocalStore(place), now=lambda: pytest.fail("nothing was written"))
    assert [path.name for path in away.iterdir()] == ["kept"]


def test_a_lock_is_not_taken_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"precious")
    (tmp_path / "lock").symlink_to(tmp_path / "mine")
    with pytest.raises(Mu2netError, match="Cannot lock"), FileLock(tmp_path / "lock"):
        pass
    assert (tmp_path / "mine").read_bytes() == b"precious"


@pytest.mark.parametrize("target", ["missing", "itself", "/dev/zero", "/etc/passwd", "one"])
def test_a_link_that_leads_nowhere_good_is_a_link(tmp_path: Path, target: str) -> None:
    store = LocalStore(tmp_path)
    store.create("one", b"x")
    (tmp_path / "itself").symlink_to(target)
    for ask in (store.read, store.size, store.exists, store.modified):
        with pytest.raises(CorruptObjectError, match="itself is a link"):
            ask("itself")
    for write in (store.create, store.refresh):
        with pytest.raises(CorruptObjectError, match="itself is a link"):
            write("itself", b"x")
    store.delete("itself")
    assert not store.exists("itself")
    assert store.read("one") == b"x"


def test_the_folder_of_a_repository_may_be_reached_through_links(shared: Repository, ann: Repository) -> None:
    real = shared.path.rename(shared.path.parent / "disk")
    shared.path.symlink_to(real)
    (shared.path.parent / "above").symlink_to(shared.path.parent)
    for path in (shared.path, shared.path.parent / "above" / "shared"):
        push(ann, Remote(name="origin", url=str(path), partial=False))
        repo = open_repository(path)
        assert set(repo.refs.heads()) == {"birds", "cats", "dogs"}
        assert fsck(repo).is_clean
        assert collect(here(repo), dry_run=False).num_objects == 0
