"""Two people who share three tasks through a folder; one who really evolves; no waiting for disks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.evolve import EvolveResult, evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.quiet import ignore
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import NotFoundError
from mu2net_core.events import Event
from mu2net_core.objects import Agent, Task
from mu2net_core.repo import Repository, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def ann(repo: Repository, context: Context) -> Repository:
    """Returns a working copy that shares three tasks."""
    for task in ("a", "b", "c"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task))
    remote.add(repo, context, "origin", "shared")
    push(repo, context)
    return repo


@pytest.fixture
def bob(ann: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a clone of what ann shares."""
    clone("shared", "bob", context)
    return open_repository(tmp_path / "bob")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets syncing return at once: it changes nothing a test here can see, and takes most of its time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def method_of(task: Task) -> str:
    if task.name == "c":
        raise NotFoundError("no such preset")
    return "random"


@pytest.fixture
def claims(context: Context) -> Callable[..., Claims]:
    """Returns what makes an agent's claims in a working copy."""

    def make(repo: Repository, slot: int = 0, **chosen: object) -> Claims:
        agent = Agent(id=repo.agent_id, host=f"host-of-{repo.worktree.name}", device="none", slot=slot)
        given = {"context": context, **chosen}
        return Claims(repo=repo, agent=agent, method_of=method_of, **given)  # type: ignore[arg-type]

    return make


ONE_DEPTH = {"MU2NET_SPACE_NUM_LAYERS": "[1]", "MU2NET_DEFAULT_NUM_LAYERS": "1"}
"""Keeps models at one block, so that few programs are compiled."""

SMALL = {"generations": 2, "children": 2, "validations": 1}
"""The shortest evolution that still has everything in it."""


Listener = Callable[[Event], None]


@dataclass(frozen=True)
class World:
    """A folder to work in, and a context in it whose clock ticks once per look."""

    folder: Path
    context: Context

    @classmethod
    def at(cls, folder: Path, cache_dir: Path, **environ: str) -> World:
        ticks = count()
        begin = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        context = Context(
            now=lambda: begin + timedelta(seconds=next(ticks)),
            host="test-host",
            environ={"MU2NET_CACHE_DIR": str(cache_dir), **ONE_DEPTH, **environ},
            user_config=None,
            cwd=folder,
        )
        return cls(folder=folder, context=context)

    def open(self, name: str = "repo") -> Repository:
        return open_repository(self.folder / name / ".mu2net")

    def evolve(
        self,
        repo: Repository,
        tasks: Sequence[str] = ("digits",),
        *,
        on_event: Listener = ignore,
        stop: Flag | None = None,
        **options: Any,
    ) -> EvolveResult:
        return evolve(repo, self.context, tasks, EvolveOptions(**{**SMALL, **options}), on_event=on_event, stop=stop)

    def is_clean(self, repo: Repository) -> bool:
        """Returns whether the repository has no problem and nothing of an unfinished iteration on digits."""
        workspace = Workspace.of(repo, "digits").folder
        return fsck(repo, self.context).problems == () and not workspace.exists()


@pytest.fixture(scope="session")
def planted_folder(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """Returns the folder of a repository with a root and the task digits, which has no model."""
    folder = tmp_path_factory.mktemp("planted")
    world = World.at(folder, cache_dir)
    init(Path("repo"), world.context, preset="vit-mini")
    add_task(world.open(), world.context, "sklearn:digits")
    return folder


@pytest.fixture(scope="session")
def grown_folder(planted_folder: Path, tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """Returns the same after one iteration with seed 1."""
    folder = Path(shutil.copytree(planted_folder, tmp_path_factory.mktemp("grown"), dirs_exist_ok=True))
    world = World.at(folder, cache_dir)
    world.evolve(world.open(), seed=1)
    return folder


@pytest.fixture
def planted(planted_folder: Path, tmp_path: Path, cache_dir: Path) -> World:
    """Returns a world whose ``repo`` has a root and the task digits, which has no model."""
    shutil.copytree(planted_folder, tmp_path, dirs_exist_ok=True)
    return World.at(tmp_path, cache_dir)


@pytest.fixture
def grown(grown_folder: Path, tmp_path: Path, cache_dir: Path) -> World:
    """Returns a world whose ``repo`` has the task digits after one iteration with seed 1."""
    shutil.copytree(grown_folder, tmp_path, dirs_exist_ok=True)
    return World.at(tmp_path, cache_dir)


@pytest.fixture
def world(tmp_path: Path, cache_dir: Path) -> Callable[..., World]:
    """Returns what makes worlds with more environment variables: ``world(MU2NET_EVOLVE_CHILDREN="2")``."""
    return partial(World.at, tmp_path, cache_dir)


@pytest.fixture
def refitting(world, planted):
    """Returns a world whose ``repo`` has the task digits, whose models are refit after an iteration."""
    del planted
    return world(MU2NET_EVOLVE_REFIT_FROM="1")


@pytest.fixture(scope="session")
def refit_folder(planted_folder: Path, tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """Returns the folder of such a world after one iteration with seed 1."""
    folder = Path(shutil.copytree(planted_folder, tmp_path_factory.mktemp("refit"), dirs_exist_ok=True))
    world = World.at(folder, cache_dir, MU2NET_EVOLVE_REFIT_FROM="1")
    world.evolve(world.open(), seed=1)
    return folder


@pytest.fixture
def refit(refit_folder: Path, tmp_path: Path, world):
    """Returns such a world after one iteration with seed 1."""
    shutil.copytree(refit_folder, tmp_path, dirs_exist_ok=True)
    return world(MU2NET_EVOLVE_REFIT_FROM="1")
