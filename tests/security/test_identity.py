"""One repository is one repository: whatever is asked of a place where another one is, nothing is exchanged with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import remote as remotes
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import plan_push, push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.errors import ConflictError
from mu2net_core.repo import Remote, Repository, create_repository, open_repository
from mu2net_core.repo.core.epoch import new_epoch
from mu2net_core.repo.core.repository import clone_marker
from mu2net_core.repo.exchange.fetching import fetch as fetch_from
from mu2net_core.repo.exchange.pushing import push as push_to
from mu2net_core.repo.remotes.remotes import RemoteRepository, connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore
from mu2net_core.testing.worlds.sharing import commit_of
from mu2net_core.testing.worlds.signers import ticking

OTHER = "b" * 32
Verb = Callable[[Repository, Context], object]


@dataclass(frozen=True)
class Scene:
    """A working copy, and a place where a copy of another repository is, with a task of the same name."""

    context: Context
    mine: Repository
    other: Repository
    place: Remote

    @property
    def store(self) -> Store:
        return connect(self.place).store

    def contents(self) -> dict[str, bytes]:
        store = self.store
        return {key: store.read(key) for key in store.list("") if not key.startswith("probe/")}

    def here(self) -> set[str]:
        return set(self.mine.store.list("objects")) | set(self.mine.store.list("refs"))


def with_task(folder: Path, identity: str) -> Repository:
    repo = sample_repository(folder, identity=identity)
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.5, seed=len(identity) + identity.count("b"))
    return repo


@pytest.fixture(params=["folder"])
def scene(request: pytest.FixtureRequest, context: Context, tmp_path: Path) -> Scene:
    place = Remote(name="origin", url=str(tmp_path / "shared"))
    if request.param == "bucket":
        bucket = request.getfixturevalue("moto_bucket")
        place = Remote(name="origin", url=bucket.url, options=bucket.options)
    context = ticking(context)
    mine, other = with_task(tmp_path / "mine", SAMPLE_IDENTITY), with_task(tmp_path / "other", OTHER)
    remotes.add(other, context, "origin", place.url, options=place.options)
    push(other, context)
    return Scene(context=context, mine=mine, other=other, place=place)


def knows_place(scene: Scene) -> None:
    """Lets the working copy have pushed to the place, before the other repository took it."""
    shutil.move(scene.place.url, scene.context.cwd / "aside")
    remotes.add(scene.mine, scene.context, "origin", scene.place.url)
    push(scene.mine, scene.context)
    shutil.move(scene.place.url, scene.context.cwd / "right")
    shutil.move(scene.context.cwd / "aside", scene.place.url)


VERBS: dict[str, Verb] = {
    "fetch": fetch,
    "fetch a": lambda repo, context: fetch(repo, context, tasks=["a"]),
    "pull": pull,
    "push": push,
    "push a": lambda repo, context: push(repo, context, tasks=["a"]),
    "push --dry-run": plan_push,
    "gc --remote": lambda repo, context: gc(repo, context, remote="origin", dry_run=False, settle=lambda: None),
    "rm-task --purge --remote": lambda repo, context: purge(repo, context, "a", remote="origin", settle=lambda: None),
    "fsck --remote": lambda repo, context: fsck(repo, context, remote="origin"),
    "fsck --remote --repair-from .": lambda repo, context: fsck(
        repo, context, remote="origin", repair_from=str(repo.worktree)
    ),
    "fsck --repair-from": lambda repo, context: fsck(repo, context, repair_from="origin"),
}


def refused(scene: Scene, verb: Verb) -> str:
    """Lets a command fail, which changes nothing there and brings nothing here; returns its hint."""
    there, here = scene.contents(), scene.here()
    with pytest.raises(
        ConflictError, match=r"is another repository: its identity is b{8}, and here it is 5a5a5a5a"
    ) as info:
        verb(scene.mine, scene.context)
    assert scene.contents() == there
    assert scene.here() == here
    return str(info.value.hint)


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_never_met(scene: Scene, verb: str) -> None:
    remotes.add(scene.mine, scene.context, "origin", scene.place.url, check=False)
    shutil.rmtree(Path(scene.place.url) / "refs" / "epoch")  # a push would begin one
    hint = refused(scene, VERBS[verb])
    assert f"mu2net clone {scene.place.url} FOLDER" in hint


@pytest.mark.parametrize("verb", VERBS)
def test_what_took_the_place_of_the_right_one(scene: Scene, verb: str) -> None:
    knows_place(scene)
    if verb in {"push", "push a"}:
        evolve_sample(scene.mine, "a", score=0.9)
    refused(scene, VERBS[verb])
    refused(scene, VERBS[verb])


@pytest.mark.parametrize("scene", ["bucket"], indirect=True)
def test_a_bucket_of_another_repository(scene: Scene) -> None:
    with pytest.raises(ConflictError, match="is another repository"):
        remotes.add(scene.mine, scene.context, "origin", scene.place.url, options=scene.place.options)
    remotes.add(scene.mine, scene.context, "origin", scene.place.url, options=scene.place.options, check=False)
    for verb in ("pull", "push", "fsck --remote --repair-from ."):
        hint = refused(scene, VERBS[verb])
    assert f"--endpoint {scene.place.options['endpoint']}" in hint


def test_it_is_not_added_as_a_remote_if_it_can_be_reached(scene: Scene) -> None:
    with pytest.raises(ConflictError, match="is another repository"):
        remotes.add(scene.mine, scene.context, "origin", scene.place.url)
    assert scene.mine.config.remotes == {}


def test_a_copy_of_ours_an_empty_place_and_a_damaged_one_are_added(scene: Scene) -> None:
    shutil.copytree(scene.mine.path, scene.context.cwd / "copy")
    damaged = create_repository(scene.context.cwd / "damaged", preset="vit-ti0", bare=True)
    (damaged.path / "config.toml").write_text("format = 1\n")
    for name in ("copy", "damaged", "none"):
        remotes.add(scene.mine, scene.context, name, name)
    assert set(scene.mine.config.remotes) == {"copy", "damaged", "none"}


def test_status_tells_it_until_the_right_one_is_back(scene: Scene) -> None:
    knows_place(scene)
    evolve_sample(scene.mine, "a", score=0.9)
    refused(scene, fetch)
    report = status(scene.mine, scene.context)
    assert report.remotes[0].is_other
    assert [(step.command, "another repository" in step.why) for step in report.next] == [("mu2net fetch origin", True)]
    shutil.rmtree(scene.place.url)
    shutil.move(scene.context.cwd / "right", scene.place.url)
    assert [task.outcome for task in push(scene.mine, scene.context).tasks] == ["updated"]
    assert not status(scene.mine, scene.context).remotes[0].is_other
    assert read_tracking(scene.mine.state, scene.mine.config.remotes["origin"]).identity == SAMPLE_IDENTITY


def test_a_clone_that_was_cut_off_does_not_go_on_with_another_repository(scene: Scene, tmp_path: Path) -> None:
    clone(scene.place.url, "new", scene.context)
    new = open_repository(tmp_path / "new")
    clone_marker(new.path).write_text(f"{scene.place.url}\nFalse\n")
    shutil.rmtree(scene.place.url)
    remotes.add(scene.mine, scene.context, "origin", scene.place.url)
    push(scene.mine, scene.context)
    with pytest.raises(ConflictError, match="is another repository"):
        clone(scene.place.url, "new", scene.context)
    clone(scene.place.url, "new", scene.context)
    assert commit_of(open_repository(tmp_path / "new"), "a") == commit_of(scene.mine, "a")


def test_copies_share_what_they_do_whoever_made_the_place(scene: Scene, tmp_path: Path) -> None:
    shutil.copytree(scene.other.worktree, tmp_path / "copy")
    copy = open_repository(tmp_path / "copy")
    mine = evolve_sample(copy, "a", score=0.9, seed=77).commit
    push(copy, scene.context)
    pull(scene.other, scene.context)
    assert commit_of(scene.other, "a") == mine


class TestRequests:
    """The settings of a remote are read at the first contact and in every new epoch, and at no other time."""

    def reads(self, scene: Scene, call: Callable[[Callable[[str], Store]], object]) -> int:
        opened: list[WrappedStore] = []

        def opening(url: str) -> Store:
            opened.append(WrappedStore(open_store(url)))
            return opened[-1]

        call(opening)
        return sum(log.count(("read", "config.toml")) for log in (store.log for store in opened))

    def test_of_a_push(self, scene: Scene) -> None:
        repo, remote = scene.other, scene.place
        evolve_sample(repo, "a", score=0.8)
        assert self.reads(scene, lambda opening: push_to(repo, remote, open_store=opening)) == 0

    def test_of_a_fetch(self, scene: Scene) -> None:
        def again(opening: Callable[[str], Store]) -> object:
            return fetch_from(scene.other, RemoteRepository(scene.place, opening(scene.place.url)))

        assert self.reads(scene, again) == 0
        new_epoch(scene.store)
        assert self.reads(scene, again) == 1
