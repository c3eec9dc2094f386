"""An agent of a pool through all its processes: when it is started again, renewed, given up."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.evolving.event_log import event_line, event_of
from mu2net_core.api.pool.happenings import AgentEnded, AgentFailed, AgentRemark, AgentStarted, PoolEvent
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.restarts import MOST_FAILURES, Restarts
from mu2net_core.api.pool.seat import Seat
from mu2net_core.testing.building.happenings import BEGUN, FINISHED, GENERATION

RESULT = json.dumps({"event": "EvolveResult", "left_out": ["b"]})


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


# Where it goes on elsewhere by itself


class Place:
    """Where an agent runs that goes on elsewhere by itself."""

    def __init__(self) -> None:
        self.events, self.process = list[PoolEvent](), Fake()
        self.seat = Seat(slot=0, start=lambda: self.process, on_event=self.events.append, clock=lambda: 0.0)
        self.seat.go()

    def hear(self, kind: Any, text: str = "", code: int = 0) -> None:
        self.seat.hear(Said(slot=0, kind=kind, text=text, code=code))


def test_an_agent_that_was_lost_counts_as_failed_once_and_goes_on() -> None:
    place = Place()
    place.hear("start", "node-7", 42)
    place.hear("lost", "node-7 was lost")
    place.hear("start", "node-8", 43)
    place.hear("end", code=0)
    assert place.events == [
        AgentStarted(agent="agent-0", process=42, cores=(), host="node-7"),
        AgentFailed(agent="agent-0", reason="node-7 was lost", failures=1, again_s=0.0),
        AgentStarted(agent="agent-0", process=43, cores=(), host="node-8"),
        AgentEnded(agent="agent-0", stopped=False),
    ]
    assert place.seat.report is not None
    assert (place.seat.report.outcome, place.seat.report.failures) == ("done", 1)


def test_an_agent_that_is_lost_again_and_again_takes_no_more_nodes_with_it() -> None:
    place = Place()
    for _ in range(MOST_FAILURES):
        place.hear("lost", "node-7 was lost")
    assert place.process.done == ["kill"]
    place.hear("end", code=-9)
    assert place.seat.report is not None
    assert (place.seat.report.outcome, place.seat.report.reason) == ("failed", "node-7 was lost")
