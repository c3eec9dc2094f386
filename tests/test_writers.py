"""Many processes that push to one remote at the same time: to one task's head, and each to its own.

``MU2NET_TEST_WRITERS=16x50`` is 16 processes that push 50 times each; by default 4x5 to a folder and 3x2 to a bucket.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from mu2net_core.repo import Remote, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.history.merging import contains
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import add_sample_task, sample_repository
from mu2net_core.testing.servers.servers import Bucket
from mu2net_core.testing.worlds.invariants import Inspector, head_log

GIVEN = os.environ.get("MU2NET_TEST_WRITERS")

WRITER = textwrap.dedent("""
    import json, os, sys, time
    from pathlib import Path
    from mu2net_core.repo import open_repository
    from mu2net_core.repo.exchange.pushing import push
    from mu2net_core.storage import open_store
    from mu2net_core.testing.building.samples import evolve_sample
    from mu2net_core.testing.servers.wrappers import WrappedStore

    folder, task, first, count, begin = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    remote = open_repository(Path(folder)).config.remotes["origin"]
    while time.time() < begin:
        time.sleep(0.01)
    for number in range(count):
        repo = open_repository(Path(folder))
        state = evolve_sample(repo, task, score=0.5 + number / 1000, seed=first + number)
        stores = []

        def opened(url):
            stores.append(WrappedStore(open_store(url, remote.options)))
            return stores[-1]

        began = time.perf_counter()
        report = next(r for r in push(repo, remote, open_store=opened).tasks if r.task == task)
        seconds = time.perf_counter() - began
        tries = sum(method == "create" and "refs/heads/" in key for store in stores for method, key in store.log)
        print(json.dumps([report.outcome, report.commit, state.commit, tries, seconds]), flush=True)
""")


@dataclass(frozen=True, slots=True)
class Size:
    """How many processes push how many times."""

    writers: int
    pushes: int

    @classmethod
    def parse(cls, text: str) -> Size:
        return cls(*map(int, text.split("x")))

    def tasks(self, kind: str) -> list[str]:
        return ["shared"] if kind == "one task" else [f"own-{number}" for number in range(self.writers)]


FOLDER, BUCKET = Size.parse(GIVEN or "4x5"), Size.parse(GIVEN or "3x2")


@dataclass(frozen=True, slots=True)
class Push:
    """What one push was told: outcome, where the remote's head went, what it sent, attempts, seconds."""

    outcome: str
    commit: str
    own: str
    attempts: int
    seconds: float


def prepare(tmp_path: Path, remote: Remote, size: Size, tasks: list[str]) -> list[Path]:
    """Makes the remote with its tasks, and a working copy for each writer."""
    first = sample_repository(tmp_path / "first")
    for task in tasks:
        add_sample_task(first, task)
    push(first, remote)
    folders = []
    for number in range(size.writers):
        repo = sample_repository(tmp_path / f"writer{number}")
        repo.update_config(lambda config: config.with_remote(remote))
        attach(repo)
        fetch(repo, connect(remote))
        tracking = read_tracking(repo.state, remote)
        adopt(repo, tracking, tracking.heads, Policy())
        folders.append(repo.worktree)
    return folders


def race(folders: list[Path], size: Size, tasks: list[str]) -> list[tuple[str, Push]]:
    """Runs all writers at once, and prints how that went."""
    begin = int(time.time()) + 3 + size.writers // 2
    more = (f"{size.pushes}", f"{begin}")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, tasks[number % len(tasks)], f"{1 + number * 1_000}", *more],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, folder in enumerate(folders)
    ]
    outputs = [process.communicate()[0] for process in processes]
    seconds = time.time() - begin
    assert [process.returncode for process in processes] == [0] * size.writers
    told = [
        (tasks[number % len(tasks)], Push(*json.loads(line)))
        for number, output in enumerate(outputs)
        for line in output.splitlines()
    ]
    attempts = [one.attempts for _, one in told]
    print(
        f"\n{len(told)} pushes of {size.writers} processes to {len(tasks)} task(s) in {seconds:.1f} s: "
        f"{len(told) / seconds:.1f}/s, {sum(attempts) / len(told):.2f} attempts each (at most {max(attempts)}), "
        f"slowest {1e3 * max(one.seconds for _, one in told):.0f} ms"
    )
    return told


def check(there: Path, told: list[tuple[str, Push]], size: Size, tasks: list[str]) -> None:
    """Asserts that every move that was acknowledged is in its log once, and all work in what the heads are now."""
    assert len(told) == size.writers * size.pushes
    Inspector().check(there)
    repo = open_repository(there)
    assert fsck(repo).problems == ()
    logs = {task: Counter(head_log(there, task)) for task in tasks}
    moves = [(task, one.commit) for task, one in told if one.outcome != "up-to-date"]
    assert all(logs[task][commit] == 1 for task, commit in moves)
    assert len(set(moves)) == len(moves)
    for task in tasks:
        state = repo.refs.head(task)
        assert state is not None
        assert sum(logs[task].values()) == 1 + sum(of == task for of, _ in moves), "a move nobody was told of"
        assert all(contains(repo.objects, state.commit, one.own) for of, one in told if of == task)


def download(bucket: Bucket, folder: Path) -> Path:
    store = open_store(bucket.url, bucket.options)
    for key in store.list(""):
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.read(key))
    return folder


@pytest.mark.timeout(300 + FOLDER.writers * FOLDER.pushes)
@pytest.mark.parametrize("kind", ["one task", "a task each"])
def test_writers_to_a_folder_lose_nothing(tmp_path: Path, kind: str) -> None:
    remote, tasks = Remote(name="origin", url=str(tmp_path / "remote")), FOLDER.tasks(kind)
    told = race(prepare(tmp_path, remote, FOLDER, tasks), FOLDER, tasks)
    check(Path(remote.url), told, FOLDER, tasks)
    assert kind == "one task" or {one.attempts for _, one in told} == {1}


@pytest.mark.timeout(300 + 4 * BUCKET.writers * BUCKET.pushes)
@pytest.mark.parametrize("kind", ["one task", "a task each"])
def test_writers_to_a_bucket_lose_nothing(s3_bucket: Bucket, tmp_path: Path, kind: str) -> None:
    remote, tasks = Remote(name="origin", url=s3_bucket.url, options=dict(s3_bucket.options)), BUCKET.tasks(kind)
    told = race(prepare(tmp_path, remote, BUCKET, tasks), BUCKET, tasks)
    check(download(s3_bucket, tmp_path / "there"), told, BUCKET, tasks)
    assert kind == "one task" or {one.attempts for _, one in told} == {1}
