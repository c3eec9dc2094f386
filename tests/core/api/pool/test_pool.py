"""A pool of agents that are real processes: what they are given, and that none outlives it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.happenings import AgentRemark, AgentStarted, PoolEvent
from mu2net_core.api.pool.job import read_job
from mu2net_core.api.pool.placement import placements
from mu2net_core.api.pool.pool import PoolResult, Stopping, run_pool
from mu2net_core.errors import ConflictError, SearchError
from mu2net_core.repo import Repository
from mu2net_core.storage import FileLock
from mu2net_core.testing.building.samples import add_sample_task

AGENT = """
import json, os, sys
job = json.load(open(sys.argv[1]))
slot = job["options"]["slot"]
cores = sorted(os.sched_getaffinity(0))
print(json.dumps({"event": "AgentWaiting", "agent": f"agent-{slot}"}), flush=True)
print(f"slot {slot} cores {cores} goals {job['options']['goals']}", file=sys.stderr, flush=True)
"""
WAITS = "sys.stdin.read(); sys.exit(130)"
STOPS = (
    "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(130)); print('{}', flush=True); signal.pause()"
)


def agents_that(tmp_path: Path, then: str = "") -> Sequence[str]:
    """Returns what Python is given to be an agent that says where it is and does what is told ``then``."""
    script = tmp_path / "agent.py"
    script.write_text(AGENT + then + "\n")
    return ["-S", str(script)]


@pytest.fixture
def pooled(repo: Repository, context: Context, tmp_path: Path) -> Callable[..., tuple[PoolResult, list[PoolEvent]]]:
    """Returns what runs a pool of two agents on a repository of two tasks, and returns all that was told, too."""
    for task in ("a", "b"):
        add_sample_task(repo, task)

    def run(then: str = "", **more: Any) -> tuple[PoolResult, list[PoolEvent]]:
        events = list[PoolEvent]()
        listen = more.pop("on_event", events.append)
        asked = EvolveOptions(agents=2, iterations=3)
        program = agents_that(tmp_path, then)
        return run_pool(repo, context, None, asked, program=program, on_event=listen, **more), events

    return run


def test_agents_have_slots_and_cores_of_their_own_and_the_same_goals(pooled: Any, repo: Repository) -> None:
    result, events = pooled()
    assert [report.outcome for report in result.agents] == ["done", "done"]
    said = sorted(event.text for event in events if isinstance(event, AgentRemark))
    cores = [list(place.cores) for place in placements(2, sorted(os.sched_getaffinity(0)))]
    assert said == [f"slot {slot} cores {cores[slot]} goals {{'a': 3, 'b': 3}}" for slot in range(2)]
    assert {event.agent for event in events if isinstance(event, AgentStarted)} == {"agent-0", "agent-1"}
    job = read_job(repo.state / "agents" / "1.json")
    assert (job.tasks, job.options.slot, job.options.agents) == (None, 1, 2)


def test_an_agent_that_is_started_again_keeps_what_it_trained_since_a_restart(
    repo: Repository, context: Context, tmp_path: Path
) -> None:
    add_sample_task(repo, "a")
    then = """
print("restart", job["options"]["restart"], file=sys.stderr, flush=True)
if job["options"]["restart"]: sys.exit(1)
"""
    events = list[PoolEvent]()
    asked = EvolveOptions(agents=1, restart=True)
    run_pool(repo, context, None, asked, program=agents_that(tmp_path, then), on_event=events.append)
    said = [event.text for event in events if isinstance(event, AgentRemark)]
    assert [text for text in said if text.startswith("restart")] == ["restart True", "restart False"]


def test_one_agent_that_cannot_go_on_keeps_no_other_from_its_work(pooled: Any) -> None:
    result, _ = pooled("if slot: sys.exit(3)")
    assert [report.outcome for report in result.agents] == ["done", "failed"]


@pytest.mark.parametrize(("then", "how"), [(STOPS, "soon"), ("import time; time.sleep(600)", "now")])
def test_a_pool_that_is_stopped_leaves_no_process(pooled: Any, then: str, how: str) -> None:
    stopping, processes, heard = Stopping(), [], []

    def listen(event: PoolEvent) -> None:
        processes.extend([event.process] if isinstance(event, AgentStarted) else [])
        heard.extend([event] if isinstance(event, AgentRemark) else [])
        if len(heard) == 2:
            getattr(stopping, how).set()

    result, _ = pooled(then, stopping=stopping, on_event=listen)
    assert result.stopped
    assert [report.outcome for report in result.agents] == ["stopped", "stopped"]
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_the_second_signal_means_now_and_what_the_pool_itself_does_is_interrupted() -> None:
    stopping = Stopping()
    with stopping.interrupting(), pytest.raises(KeyboardInterrupt):
        stopping.ask()
    assert (stopping.soon.is_set(), stopping.now.is_set()) == (True, False)
    stopping.ask()
    assert stopping.now.is_set()


def test_what_breaks_in_the_pool_itself_leaves_no_process_either(pooled: Any) -> None:
    processes = []

    def listen(event: PoolEvent) -> None:
        processes.extend([event.process] if isinstance(event, AgentStarted) else [])
        if len(processes) == 2:
            raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"):
        pooled(WAITS, on_event=listen)
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


POOL = """
import sys
from pathlib import Path
from mu2net_core.api.context import Context
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.pool import run_pool
from mu2net_core.api.pool.happenings import AgentStarted
from mu2net_core.repo import open_repository
def tell(event):
    if isinstance(event, AgentStarted):
        print(event.process, flush=True)
repo = open_repository(Path(sys.argv[1]))
run_pool(repo, Context.default(), None, EvolveOptions(agents=2), program=["-S", sys.argv[2]], on_event=tell)
"""


def test_kill_9_of_a_pool_ends_its_agents(repo: Repository, tmp_path: Path) -> None:
    add_sample_task(repo, "a")
    script = agents_that(tmp_path, WAITS)[1]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    command = [sys.executable, "-c", POOL, str(repo.path), script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True) as pool:
        assert pool.stdout is not None
        agents = [os.pidfd_open(int(pool.stdout.readline())) for _ in range(2)]
        pool.send_signal(signal.SIGKILL)
    for agent in agents:
        assert select.select([agent], [], [], 60)[0] == [agent]  # readable once the process is gone
        os.close(agent)


def test_a_second_pool_in_a_working_copy_is_told_of_the_first(pooled: Any, repo: Repository) -> None:
    with (
        FileLock(repo.state / "pool.lock"),
        pytest.raises(ConflictError, match="the agents of this working copy: process"),
    ):
        pooled()


def test_without_a_task_no_agent_is_started(repo: Repository, context: Context, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="no task to evolve"):
        run_pool(repo, context, None, EvolveOptions(agents=2), program=agents_that(tmp_path))
