"""Dying at every storage call of every command that writes: what is left is whole, and the same command finishes.

``MU2NET_TEST_PROFILE=nightly`` takes every call; the default every few.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing.clone import clone
from mu2net_core.repo import open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.testing.building.samples import sample_task
from mu2net_core.testing.servers.interception import Plan, dies
from mu2net_core.testing.worlds.world import World

NIGHTLY = os.environ.get("MU2NET_TEST_PROFILE") == "nightly"
STRIDES = {"remote": 1 if NIGHTLY else 5, "own": 1 if NIGHTLY else 25}
FAR = 2_000

COMMANDS: dict[str, Callable[[World], object]] = {
    "push": lambda world: world.push(0),
    "pull": lambda world: world.pull(2),
    "lazy pull": lambda world: world.pull(1),
    "clone": lambda world: clone(str(world.remote), world.folder / "fresh", world.context(0), full=True),
    "gc here": lambda world: world.gc(0, here=True),
    "gc there": lambda world: world.gc(0, here=False),
    "purge here": lambda world: world.purge_here(2, "pub-a"),
    "purge there": lambda world: world.purge(2, "pub-a"),
    "pull of a purge": lambda world: (world.purge(2, "pub-a"), world.pull(2)),
}


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Returns three working copies that differ from the remote and from each other, with garbage everywhere."""
    with mock.patch("os.fsync"):
        world = World(tmp_path_factory.mktemp("kill") / "world")
        for task in ("pub-a", "team-c", "priv-e"):
            world.add(0, task)
            world.evolve(0, task, 0.5, None, ["head"])
        world.add(0, "pub-b")
        world.evolve(0, "pub-b", 0.5, "pub-a", ["embedding"])
        world.push(0)
        world.pull(1)
        world.pull(2)
        world.evolve(0, "pub-a", 0.7, None, ["encoderblock_0", "head"])
        world.evolve(2, "pub-a", 0.6, None, ["head"])
        world.tag(0, "v1")
        for repo in (world.remote, world.path(0)):
            open_repository(repo).objects.put(sample_task("garbage"))
        world.pass_time(20 * 86400)
    shutil.copytree(world.folder, world.folder.with_name("template"))
    return world


def restored(world: World) -> World:
    """Returns the world as it was made."""
    shutil.rmtree(world.folder)
    shutil.copytree(world.folder.with_name("template"), world.folder)
    world.gone.clear()
    world.inspector.refs.clear()
    return world


@pytest.mark.parametrize("where", ["remote", "own"])
@pytest.mark.parametrize("name", COMMANDS)
def test_whoever_dies_leaves_a_whole_repository(template: World, name: str, where: str) -> None:
    number = {"pull": 2, "lazy pull": 1, "purge here": 2, "purge there": 2, "pull of a purge": 2}.get(name, 0)
    count, stride = 0, STRIDES[where]
    for at in range(1, FAR, stride):
        world = restored(template)
        own = world.folder / "fresh" / ".mu2net" if name == "clone" else world.path(number)
        root = world.remote if where == "remote" else own
        late = bool(at // stride % 2)
        if not dies(lambda: COMMANDS[name](world), Plan(what="crash", at=at, late=late), root):  # noqa: B023
            break
        count += 1
        world.check_with_fsck()
        if (world.folder / "fresh" / ".mu2net" / "config.toml").is_file():
            assert fsck(open_repository(world.folder / "fresh")).problems == ()
        COMMANDS[name](world)
        world.check_with_fsck()
    print(f"{name}, {where}: died {count} times, of {at} calls")
    assert count > 0 or name.endswith("here") or (name, where) == ("gc there", "own")


@pytest.mark.parametrize("late", [False, True])
def test_init(tmp_path: Path, late: bool) -> None:
    world = World(tmp_path / "world", clones=0)
    tmp_path.joinpath("world").mkdir(exist_ok=True)
    for at in range(1, FAR, 1 if NIGHTLY else 9):
        folder = tmp_path / f"repo{at}"

        def command(folder: Path = folder) -> object:
            return init(folder, world.context(0), preset="vit-mini")

        if not dies(command, Plan(what="crash", at=at, late=late), folder / ".mu2net"):
            return
        if (folder / ".mu2net" / "config.toml").is_file():
            assert fsck(open_repository(folder)).problems == ()
            if open_repository(folder).refs.roots():
                continue  # it died after the last thing it had to do: there is a repository, and init says so
        command()
        assert fsck(open_repository(folder)).problems == ()
