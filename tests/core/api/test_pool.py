"""A pool of agents: where they run, when they are started again, and that none outlives it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.event_log import event_line, event_of
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.happenings import AgentEnded, AgentFailed, AgentRemark, AgentStarted, PoolEvent
from mu2net_core.api.pool.job import read_job
from mu2net_core.api.pool.placement import gpus_of, placements
from mu2net_core.api.pool.pool import PoolResult, Stopping, run_pool
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.restarts import MOST_FAILURES, Restarts
from mu2net_core.api.pool.seat import Seat
from mu2net_core.errors import ConflictError, SearchError
from mu2net_core.repo import Repository
from mu2net_core.storage import FileLock
from mu2net_core.testing.building.happenings import BEGUN, FINISHED, GENERATION
from mu2net_core.testing.building.samples import add_sample_task

RESULT = json.dumps({"event": "EvolveResult", "left_out": ["b"]})


# Where agents run


@pytest.mark.parametrize(
    ("agents", "cores", "shares"),
    [
        (1, (0, 1, 2), [(0, 1, 2)]),
        (2, (0, 1), [(0,), (1,)]),
        (2, (4, 5, 6, 7, 9), [(4, 5), (6, 7, 9)]),
        (3, (0, 1), [(0,), (1,), (0,)]),
        (2, (), [(), ()]),
    ],
)
def test_agents_have_cores_of_their_own_as_far_as_there_are_enough(agents: int, cores: Any, shares: Any) -> None:
    assert [place.cores for place in placements(agents, cores)] == shares


@pytest.mark.parametrize(
    ("agents", "gpus", "shown"),
    [
        (2, (), [{}, {}]),
        (2, ("0", "1", "2", "3"), [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]),
        (
            2,
            ("GPU-7f",),
            [{"CUDA_VISIBLE_DEVICES": "GPU-7f", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.450"}] * 2,
        ),
    ],
)
def test_each_agent_sees_gpus_of_its_own_or_has_its_part_of_ones_memory(agents: int, gpus: Any, shown: Any) -> None:
    assert [dict(place.environ) for place in placements(agents, range(8), gpus)] == shown


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("0", "1")),
        ({"JAX_PLATFORMS": "cpu"}, ()),
        ({"JAX_PLATFORMS": "cuda,cpu"}, ("0", "1")),
        ({"CUDA_VISIBLE_DEVICES": "1, 3"}, ("1", "3")),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ()),
    ],
)
def test_gpus_are_those_that_the_environment_shows(environ: dict[str, str], found: Any, tmp_path: Path) -> None:
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert gpus_of(environ, folder=tmp_path) == found


# When they are started again


def test_each_failure_in_a_row_waits_longer_and_the_fifth_is_the_last() -> None:
    state, waits = Restarts(), []
    for _ in range(MOST_FAILURES):
        state = state.failed(1)
        waits.append(state.wait_s)
    assert waits == [1, 2, 4, 8, None]
    assert state.in_all == 5


def test_a_generation_that_is_over_begins_a_new_row() -> None:
    state = Restarts().failed(-9).failed(-9).got_on().failed(-9)
    assert (state.in_row, state.in_all, state.wait_s) == (1, 3, 1)


@pytest.mark.parametrize("code", [2, 3, 4, 6])
def test_what_the_next_attempt_would_meet_as_well_is_not_tried_again(code: int) -> None:
    assert Restarts().failed(code).wait_s is None


@dataclass
class Fake:
    """A process that only notes what is done to it."""

    done: list[str] = field(default_factory=list)

    def stop(self) -> None:
        self.done.append("stop")

    def kill(self) -> None:
        self.done.append("kill")

    def close(self) -> None:
        self.done.append("close")


class Chair:
    """A seat with processes that are none, and a clock that is moved by hand."""

    def __init__(self, deadline: float | None = None) -> None:
        self.now, self.events, self.processes = 0.0, list[PoolEvent](), list[Fake]()
        self.seat = Seat(
            slot=3,
            start=self.start,  # type: ignore[arg-type]
            on_event=self.events.append,
            clock=lambda: self.now,
            deadline=deadline,
        )

    def start(self) -> Fake:
        self.processes.append(Fake())
        self.hear("start", code=7)
        return self.processes[-1]

    def hear(self, kind: Any, text: str = "", code: int = 0) -> None:
        self.seat.hear(Said(slot=3, kind=kind, text=text, code=code))

    def told(self, *events: Any) -> None:
        for event in events:
            self.hear("event", event_line(replace(event, agent="agent-3"), "now").strip())


def test_an_agent_that_dies_is_started_again_when_it_is_time_and_goes_on() -> None:
    chair = Chair()
    chair.seat.go()
    chair.hear("end", code=-9)
    assert isinstance(chair.events[-1], AgentFailed)
    assert (chair.events[-1].failures, chair.events[-1].again_s) == (1, 1)
    assert "SIGKILL" in chair.events[-1].reason
    chair.seat.go()
    assert len(chair.processes) == 1
    chair.now = 1.0
    chair.seat.go()
    assert len(chair.processes) == 2
    chair.told(BEGUN, GENERATION, FINISHED)
    chair.hear("event", RESULT)
    chair.hear("end", code=1)
    report = chair.seat.report
    assert report is not None
    assert (report.outcome, report.iterations, report.failures, report.left_out) == ("done", 1, 1, ("b",))
    assert chair.events[-1] == AgentEnded(agent="agent-3", stopped=False)
    assert [process.done for process in chair.processes] == [["close"], ["close"]]


def test_an_agent_that_only_fails_is_given_up_with_the_last_error_it_told() -> None:
    chair = Chair()
    for _ in range(MOST_FAILURES):
        chair.now += 100
        chair.seat.go()
        chair.hear("remark", "error: The disk is full.")
        chair.hear("remark", "hint: Make room.")
        chair.hear("end", code=5)
    chair.now += 100
    chair.seat.go()
    report = chair.seat.report
    assert report is not None
    assert (report.outcome, report.reason, len(chair.processes)) == ("failed", "The disk is full.", MOST_FAILURES)
    assert AgentRemark(agent="agent-3", text="hint: Make room.") in chair.events


def test_an_agent_that_cannot_be_started_now_is_started_later_and_ends_no_other() -> None:
    chair = Chair()
    start, chair.seat.start = chair.seat.start, lambda: Path("/no/such/program").stat()  # type: ignore[assignment]
    chair.seat.go()
    assert isinstance(chair.events[-1], AgentFailed)
    assert chair.events[-1].reason.startswith("it cannot be started: [Errno 2] No such file or directory")
    chair.seat.start, chair.now = start, 1.0
    chair.seat.go()
    assert (len(chair.processes), chair.seat.report) == (1, None)


def test_a_stop_is_passed_on_once_and_how_the_agent_ends_then_is_no_failure() -> None:
    chair = Chair()
    chair.seat.go()
    chair.seat.stop()
    chair.seat.stop()
    chair.hear("end", code=-15)
    assert chair.processes[0].done == ["stop", "close"]
    assert chair.seat.report is not None
    assert chair.seat.report.outcome == "stopped"


def test_an_agent_that_waits_to_be_started_again_is_over_when_it_is_stopped() -> None:
    chair = Chair()
    chair.seat.go()
    chair.hear("end", code=1)
    chair.seat.stop()
    chair.now = 100.0
    chair.seat.go()
    assert len(chair.processes) == 1
    assert chair.seat.report is not None


def test_what_to_do_about_an_agent_that_is_given_up_is_what_its_process_said_last() -> None:
    chair = Chair()
    chair.seat.go()
    chair.hear("remark", "hint: of nothing")
    chair.hear("remark", "error: The disk is full.")
    chair.hear("remark", "hint: Make room.")
    chair.hear("end", code=5)
    chair.now += 100
    chair.seat.go()
    chair.hear("remark", "error: No preset 'x'.")
    chair.hear("remark", "hint: Presets: a, b.")
    chair.hear("end", code=3)
    assert chair.seat.report is not None
    assert (chair.seat.report.reason, chair.seat.report.hint) == ("No preset 'x'.", "Presets: a, b.")


def test_an_agent_that_is_renewed_goes_on_in_another_process_and_one_that_is_stopped_does_not() -> None:
    chair = Chair()
    chair.seat.go()
    chair.seat.renew()
    chair.hear("end", code=130)
    chair.seat.go()
    assert (chair.processes[0].done, len(chair.processes), chair.seat.report) == (["stop", "close"], 2, None)
    chair.seat.renew()
    chair.hear("end", code=-9)
    assert isinstance(chair.events[-1], AgentFailed)
    chair.now += 100
    chair.seat.go()
    chair.seat.renew()
    chair.seat.stop()
    chair.hear("end", code=130)
    assert chair.seat.report is not None
    assert chair.seat.report.outcome == "stopped"


def test_of_an_agent_that_watches_for_weeks_only_the_last_iterations_are_kept_and_all_are_counted() -> None:
    chair = Chair()
    chair.seat.finished = deque(maxlen=2)
    chair.seat.go()
    for number in range(5):
        chair.hear("event", event_line(replace(FINISHED, iteration=number), "2026-01-02"))
    chair.hear("end", code=0)
    assert [event.iteration for event in chair.seat.finished] == [3, 4]
    assert chair.seat.report is not None
    assert chair.seat.report.iterations == 5


def test_once_the_time_is_up_nothing_is_started_again() -> None:
    chair = Chair(deadline=10.0)
    chair.seat.go()
    chair.hear("end", code=1)
    chair.now = 10.0
    chair.seat.go()
    assert len(chair.processes) == 1
    assert chair.seat.report is not None


@pytest.mark.parametrize("line", ["", "[]", "null", "{}", '{"event": 3}', '{"event": "NoSuch"}', "XLA says hello"])
def test_what_a_library_prints_among_the_events_does_no_harm(line: str) -> None:
    assert event_of(line) is None
    chair = Chair()
    chair.seat.go()
    chair.hear("event", line)
    assert len(chair.events) == 1


def test_an_event_is_read_as_it_was_told() -> None:
    for event in (BEGUN, GENERATION, FINISHED):
        assert event_of(event_line(event, "2026-01-02")) == event


# Real processes

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
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
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
