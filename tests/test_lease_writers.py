"""Many processes that take the same tasks at the same moment, in a folder and in a bucket; and one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path

from mu2net_core.objects import Agent
from mu2net_core.repo import Refs, Remote, Repository
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.leases import Held, Lease, Leases
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import add_sample_task, sample_repository
from mu2net_core.testing.servers.servers import Bucket

TASKS = [f"task-{number}" for number in range(8)]

TAKER = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    from mu2net_core.objects import Agent
    from mu2net_core.repo import open_repository
    from mu2net_core.repo.leases import Lease, Leases

    folder, slot, *tasks = sys.argv[1:]
    repo = open_repository(Path(folder))
    agent = Agent(id=repo.agent_id, host="here", device="none", slot=int(slot))
    leases = Leases(store=repo.store, refs=repo.refs, agent=agent)
    print("ready", flush=True)
    sys.stdin.readline()
    mine = [task for task in tasks if isinstance(leases.acquire(task, iteration=1, method=""), Lease)]
    print(json.dumps(mine), flush=True)
    sys.stdin.readline()
""")


def crowded(folder: Path, tasks: Sequence[str] = TASKS) -> Repository:
    """Returns a repository of some tasks."""
    repo = sample_repository(folder)
    for task in tasks:
        add_sample_task(repo, task)
    return repo


def begin(repo: Repository, slot: int) -> subprocess.Popen[str]:
    """Starts a process that takes what it can get when it is told to."""
    command = [sys.executable, "-c", TAKER, str(repo.path), str(slot), *TASKS]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str], word: str = "\n") -> str:
    """Lets a process go on and returns the line it prints next."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(word)
    process.stdin.flush()
    return process.stdout.readline()


def test_of_several_processes_each_task_is_one_ones_and_a_killed_one_is_followed(tmp_path: Path) -> None:
    repo = crowded(tmp_path / "work")
    processes = [begin(repo, slot) for slot in range(3)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        taken = [json.loads(process.stdout.readline()) for process in processes if process.stdout is not None]
        assert sorted(task for mine in taken for task in mine) == TASKS
        os.kill(processes[0].pid, signal.SIGKILL)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    again = begin(repo, 0)
    try:
        assert again.stdout is not None
        assert again.stdout.readline() == "ready\n"
        assert json.loads(said(again)) == taken[0], "its own at once, and nobody else's"
    finally:
        again.kill()
        again.communicate()


def test_in_a_bucket_each_task_is_one_ones_and_can_be_given_back(tmp_path: Path, s3_bucket: Bucket) -> None:
    tasks = TASKS[:2]
    repo = crowded(tmp_path / "work", tasks)
    remote = Remote(name="origin", url=s3_bucket.url, options=s3_bucket.options)
    push(repo, remote)
    start, taken = threading.Barrier(4), dict[int, list[Lease | Held]]()

    def run(slot: int) -> None:
        store = open_store(remote.url, remote.options)
        agent = Agent(id="a" * 32, host="here", device="none", slot=slot)
        leases = Leases(store=store, refs=Refs(store), agent=agent)
        start.wait()
        taken[slot] = [leases.acquire(task, iteration=1, method="") for task in tasks]

    threads = [threading.Thread(target=run, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = [lease for found in taken.values() for lease in found if isinstance(lease, Lease)]
    assert sorted(lease.task for lease in mine) == tasks
    assert mine[0].renew(generation=1, score=0.5)
    store = open_store(remote.url, remote.options)
    others = Leases(store=store, refs=Refs(store), agent=Agent(id="b" * 32, host="there", device="none"))
    assert {held.task: held.entry.generation for held in others.living()} == {mine[0].task: 1, mine[1].task: 0}
    since, renewed = others.times(others.living()[tasks.index(mine[0].task)])
    assert since <= renewed
    for lease in mine:
        lease.release()
    assert others.living() == ()
