"""What tests of attacks share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.objects import hash_bytes
from mu2net_core.repo import Remote, Repository
from mu2net_core.testing.signers import ticking
from mu2net_core.testing.writer import Writer

FAST = Path("/dev/shm")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets syncing return at once: it changes nothing a test here can see, and takes most of its time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Returns an empty folder in memory, where there is one."""
    made = Path(tempfile.mkdtemp(prefix="mu2net-", dir=FAST if FAST.is_dir() else None))
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
def evil(shared: Repository) -> Writer:
    """Returns who may write to the repository ``shared`` of a test."""
    return Writer.into(shared)
