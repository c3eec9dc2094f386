"""kill -9 at random moments of evolve and push: nothing published is lost, everything resumes.

``MU2NET_TEST_KILLS`` says how often to kill (default 3 of each; the figures in docs/experiments.md are of 20).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from jax.experimental.compilation_cache import compilation_cache

import mu2net_core as m
from mu2net_core.testing.building.compiling import quick_compiler

FEW_PROGRAMS = {
    "MU2NET_SPACE_NUM_LAYERS": "[1]",
    "MU2NET_DEFAULT_NUM_LAYERS": "1",
}
"""Compiles few programs, so that a process is killed while it works and not while it compiles."""
KILLS = int(os.environ.get("MU2NET_TEST_KILLS", "3"))

EVOLVE = """
    import mu2net_core as m
    from mu2net_core.testing.building.compiling import quick_compiler

    repo = m.open({folder!r})
    print("ready", flush=True)
    with quick_compiler():
        repo.evolve(tasks=["digits"], iterations=100, generations=2, children=2, validations=1, seed=7,
                    on_event=lambda event: print(type(event).__name__, flush=True))
"""
PUSH = """
    import shutil
    import mu2net_core as m

    repo = m.open({folder!r})
    print("ready", flush=True)
    for number in range(1000):
        remote = {remotes!r} + f"/{{number}}"
        repo.add_remote(f"r{{number}}", remote)
        print("Pushing", flush=True)
        repo.push(f"r{{number}}")
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("crash")
    with pytest.MonkeyPatch.context() as patch, quick_compiler():
        for name, value in FEW_PROGRAMS.items():
            patch.setenv(name, value)
        patch.setenv("MU2NET_CACHE_DIR", str(folder / "cache"))
        repo = m.init(folder / "repo", preset="vit-mini")
        repo.add_task("sklearn:digits")
        compilation_cache.reset_cache()  # it looks where that is once a process
        repo.evolve(generations=1, children=2, validations=1, seed=1)
        compilation_cache.reset_cache()
        yield folder


def kill_at(code: str, marker: str, count: int, extra_s: float) -> list[str]:
    """Runs ``code`` and kills it ``extra_s`` after it printed ``marker`` for the ``count``-th time."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as process:
        try:
            lines = _until(process, marker, count)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=extra_s)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL, "it was killed in the middle, not finished or failed"
    return lines


def _until(process: subprocess.Popen[str], marker: str, count: int) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    while lines.count(marker) < count and (line := process.stdout.readline()):
        lines.append(line.strip())
    assert lines.count(marker) == count, "it ended before it was to be killed"
    return lines


@pytest.mark.timeout(300 + 60 * KILLS)
def test_evolve_killed_at_random_moments_loses_at_most_a_generation(world: Path) -> None:
    rng = random.Random(20261122)
    folder = str(world / "repo")
    iterations = m.open(folder).tasks()[0].iterations
    for _ in range(KILLS):
        lines = kill_at(EVOLVE.format(folder=folder), "ChildFinished", rng.randint(1, 9), rng.random() * 0.4)
        repo = m.open(folder)
        assert repo.fsck().is_clean
        finished = lines.count("IterationFinished")
        assert repo.tasks()[0].iterations >= iterations + finished
        iterations = repo.tasks()[0].iterations
        log = list(repo.log("digits"))
        assert sorted(entry.iteration for entry in log if entry.event == "iteration") == list(range(1, iterations + 1))
    events: list[object] = []
    m.open(folder).evolve(tasks=["digits"], generations=2, children=2, validations=1, seed=7, on_event=events.append)
    assert m.open(folder).tasks()[0].iterations == iterations + 1
    assert m.open(folder).fsck().is_clean


@pytest.mark.timeout(300 + 60 * KILLS)
def test_push_killed_at_random_moments_leaves_a_clean_remote_and_can_be_repeated(world: Path) -> None:
    rng = random.Random(11222026)
    folder = str(world / "repo")
    for attempt in range(KILLS):
        remotes = world / f"remotes{attempt}"
        kill_at(PUSH.format(folder=folder, remotes=str(remotes)), "Pushing", rng.randint(1, 3), rng.random() * 0.08)
        repo = m.open(folder)
        assert repo.fsck().is_clean
        for info in list(repo.repository.config.remotes.values()):
            repo.push(info.name)
            copy = m.clone(info.url, world / f"clone{attempt}-{info.name}", full=True)
            assert copy.fsck().is_clean
            assert copy.tasks()[0].model == repo.tasks()[0].model
            repo.repository.update_config(lambda config, name=info.name: config.without_remote(name))
