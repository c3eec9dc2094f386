"""A disk that is full at every write of every command: a clear error, a whole repository, and on with the command."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from mu2net_core.errors import StorageError
from mu2net_core.testing.worlds.world import World

STRIDE = 1 if os.environ.get("MU2NET_TEST_PROFILE") == "nightly" else 9

COMMANDS: dict[str, Callable[[World], object]] = {
    "evolve": lambda world: world.evolve(0, "pub-a", 0.7, None, ["encoderblock_0", "head"]),
    "tag": lambda world: world.tag(0, "v1"),
    "remove": lambda world: world.remove(0, "pub-a"),
    "push": lambda world: world.push(0),
    "pull": lambda world: world.pull(1),
    "purge": lambda world: world.purge(0, "pub-a"),
    "gc": lambda world: world.gc(0, here=False),
}


@contextmanager
def full_at(number: int) -> Iterator[list[str]]:
    """Lets the call ``number`` of those that need room on a disk fail; yields the calls so far."""
    calls: list[str] = []

    def counted(name: str) -> Callable[..., object]:
        original = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            calls.append(name)
            if len(calls) == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*args, **kwargs)

        return call

    with ExitStack() as stack:
        for name in ("write", "link", "replace", "mkdir"):
            stack.enter_context(mock.patch.object(os, name, counted(name)))
        stack.enter_context(mock.patch("os.fsync"))
        yield calls


def world_of(folder: Path) -> World:
    world = World(folder, clones=2)
    for task in ("pub-a", "team-c"):
        world.add(0, task)
        world.evolve(0, task, 0.5, None, ["head"])
    world.push(0)
    world.evolve(0, "pub-a", 0.6, None, ["head"])
    return world


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_at_every_write(tmp_path: Path, name: str) -> None:
    failed = 0
    with mock.patch("os.fsync"):
        for at in range(1, 500, STRIDE):
            world = world_of(tmp_path / str(at))
            with full_at(at) as calls:
                error = world.run(0, partial(COMMANDS[name], world))
            if error is not None:
                failed += 1
                assert isinstance(error, StorageError)
                assert "disk full" in error.message
                world.check_with_fsck()
                COMMANDS[name](world)
            world.check_with_fsck()
            if len(calls) < at:
                break
    print(f"{name}: full {failed} times")
    assert failed > 0 or name == "gc"


def test_a_file_system_that_takes_no_more(tmp_path: Path) -> None:
    """A real limit, of the operating system: files of more than 600 bytes are refused in the middle."""
    with mock.patch("os.fsync"):
        world = world_of(tmp_path)
    script = """
        import resource, signal, sys
        from pathlib import Path
        from mu2net_core.errors import StorageError
        from mu2net_core.repo import open_repository
        from mu2net_core.repo.exchange.pushing import push

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        repo = open_repository(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
        try:
            push(repo, repo.config.remotes["origin"])
        except StorageError as exc:
            print(exc)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(world.path(0))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "disk full or quota reached" in done.stdout
    assert not list(tmp_path.rglob(".tmp-*"))
    world.check_with_fsck()
    world.push(0)
    world.check_with_fsck()
