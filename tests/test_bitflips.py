"""One wrong bit in any file of a repository: never read as if it were right, always found, and healed from a copy.

``MU2NET_TEST_PROFILE=nightly`` flips a bit of every byte; the default of about forty bytes of every file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import parse_object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.ref_files import parse_entry_key
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.testing.worlds.invariants import Inspector
from mu2net_core.testing.worlds.world import World

NIGHTLY = os.environ.get("MU2NET_TEST_PROFILE") == "nightly"
NUM_CHECKED = 10 if NIGHTLY else 2  # bytes of every file whose damage fsck has to find and heal


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Returns a bare repository with two tasks and a tag, and a copy of it."""
    with mock.patch("os.fsync"):
        world = World(tmp_path_factory.mktemp("flips"), clones=1)
        world.add(0, "pub-a")
        world.evolve(0, "pub-a", 0.5, None, ["head"])
        world.add(0, "pub-b")
        world.push(0)
        world.evolve(0, "pub-b", 0.6, "pub-a", ["head"])
        world.evolve(0, "pub-a", 0.7, None, ["head"])
        world.tag(0, "v1")
        world.push(0)
    good = world.folder / "good"
    shutil.copytree(world.remote, good)
    return world.remote, good


def files(repo: Path) -> list[Path]:
    return sorted(path for part in ("objects", "refs") for path in (repo / part).rglob("*") if path.is_file())


def flips(data: bytes, most: int | None = None) -> Iterator[bytes]:
    """Yields ``data`` with one wrong bit in every byte, or in ``most`` of them, evenly spread, first and last too."""
    every = max(1, (len(data) - 1) // (most - 1)) if most else 1
    for place in range(0, len(data), every):
        wrong = bytearray(data)
        wrong[place] ^= 1 << place % 8
        yield bytes(wrong)


def read(repo: Repository, key: str) -> None:
    """Reads what a file holds, as commands do: a ref with the chain it is in and what it names."""
    if parsed := parse_object_key(key):
        repo.objects.read(*parsed)
    elif place := parse_entry_key(key):
        for state in repo.refs.log(place[0]):
            repo.objects.commit(state.commit)
    elif key.startswith("refs/tags/"):
        repo.objects.snapshot(repo.refs.tag(key.removeprefix("refs/tags/")))
    elif key.startswith("refs/roots/"):
        repo.objects.model(repo.refs.read_id(key))


def test_no_wrong_byte_is_ever_read(copies: tuple[Path, Path]) -> None:
    repo, count, missed = copies[0], 0, []
    for file in files(repo):
        key, good = str(file.relative_to(repo)), file.read_bytes()
        if key.startswith("refs/epoch/"):
            continue  # names its own content: a wrong one only makes clients look again
        for wrong in flips(good, None if NIGHTLY else 40):
            file.write_bytes(wrong)
            count += 1
            opened = open_repository(repo)
            opened.objects._quarantine = None  # leave the file where it is
            try:
                read(opened, key)
            except Mu2netError:
                continue
            missed.append(key)
        file.write_bytes(good)
    print(f"{count} flips read")
    assert missed == []


def test_fsck_finds_every_flip_and_heals_it(copies: tuple[Path, Path]) -> None:
    repo, source = copies[0], connect(Remote(name="good", url=str(copies[1])))
    count, unseen, unhealed = 0, [], []
    for file in files(repo):
        key, good = str(file.relative_to(repo)), file.read_bytes()
        if key.startswith("refs/epoch/"):
            continue
        for wrong in flips(good, NUM_CHECKED):
            file.write_bytes(wrong)
            count += 1
            if fsck(open_repository(repo)).is_clean:
                unseen.append(key)
            if not fsck(open_repository(repo), remote=source).is_clean or file.read_bytes() != good:
                unhealed.append(key)
            file.write_bytes(good)
    print(f"{count} flips checked")
    assert unseen == []
    assert unhealed == []
    Inspector().check(repo)
