"""What tests of attacks share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mu2net_cli.main import main
from mu2net_core.api.context import Context
from mu2net_core.api.sharing.tag import create
from mu2net_core.objects import hash_bytes
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.commands import Outcome, Run
from mu2net_core.testing.worlds.schedules import memory_folder
from mu2net_core.testing.worlds.sharing import working_copy
from mu2net_core.testing.worlds.signers import SignedScene, set_scene, signed, ticking


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets syncing return at once: it changes nothing a test here can see, and takes most of its time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Returns an empty folder in memory, where there is one."""
    made = memory_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def later(context: Context) -> Context:
    """Returns the context with a clock that moves on at every look, so that nobody relies on the last one."""
    return ticking(context)


@pytest.fixture
def medium() -> str:
    """Where remotes are: in a "folder", a "bucket" or in "memory"; what tries several is parametrized with it."""
    return "folder"


@pytest.fixture
def spot(medium: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Remote]:
    """Returns what names a remote and says who reads it; there is nothing yet."""
    options: dict[str, str] = {}
    root = str(tmp_path)
    if medium == "bucket":
        bucket = request.getfixturevalue("moto_bucket")
        root, options = bucket.url, dict(bucket.options)
    elif medium == "memory":
        root = f"memory://{hash_bytes(request.node.nodeid.encode())}"
    return lambda name, *readers: Remote(name=name, url=f"{root}/{name}", readers=readers or None, options=options)


@pytest.fixture
def origin(spot: Callable[..., Remote]) -> Remote:
    """Returns a remote that everybody can read, and the attacker write; there is nothing yet."""
    return spot("origin")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Returns what runs a command line in this process, with no settings of the user's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for name in [name for name in os.environ if name.startswith("MU2NET_LIMITS")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run_mu2net(*args: str) -> Outcome:
        capfd.readouterr()
        return Outcome(main([*args]), *capfd.readouterr())

    return run_mu2net


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy that pushed the task ``cats``, and has more of it to push."""
    repo = working_copy(tmp_path / "ann", origin)
    add_sample_task(repo, "cats")
    push(repo, origin)
    evolve_sample(repo, "cats", score=0.5)
    return repo


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    """Returns a shared repository with the task ``cats`` and one model."""
    repo = sample_repository(tmp_path / "shared", bare=True)
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5)
    return repo


@pytest.fixture
def evil(shared: Repository) -> Writer:
    """Returns who may write to the shared repository."""
    return Writer.into(shared)


@pytest.fixture
def scene(context: Context, origin: Remote) -> SignedScene:
    """Returns a place where Ann shares a, b and the tag v1; Bob requires signatures."""
    return set_scene(context, origin, _begin)


def _begin(ann: Repository, context: Context) -> None:
    for task in ("a", "b"):
        signed(ann, context, task)
        signed(ann, context, task, score=0.5, seed=ord(task))
    create(ann, context, "v1")
