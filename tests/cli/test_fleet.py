"""Where a pool of agents stands: a row for each, and lines."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mu2net_cli.session import Session
from mu2net_cli.watching.agents import _conclude, _shown
from mu2net_cli.watching.fleet import Fleet, pool_line
from mu2net_cli.watching.signals import heeded, when_stdin_ends
from mu2net_core.api.context import Context
from mu2net_core.api.pool.happenings import AgentEnded, AgentFailed, AgentRemark, AgentStarted
from mu2net_core.api.pool.pool import PoolResult
from mu2net_core.api.pool.seat import AgentReport
from mu2net_core.errors import SearchError
from mu2net_core.events import AgentWaiting
from mu2net_core.testing.building.happenings import BEGUN, FINISHED, GENERATION, PUSHED, SAMPLED, child

STARTED = AgentStarted(process=17, cores=(2, 3))
FAILED = AgentFailed(reason="The disk is full.", failures=2, again_s=4.0)


def fleet(*told: tuple[int, object], at: list[float] | None = None) -> Fleet:
    """Returns the fleet after agents, by number, told something."""
    seconds = [0.0] if at is None else at
    found = Fleet(clock=lambda: seconds[0])
    for slot, event in told:
        found.update(replace(event, agent=f"agent-{slot}"))  # type: ignore[type-var]
    return found


def test_each_agent_has_a_row_that_says_what_it_is_at() -> None:
    found = fleet(
        *((slot, STARTED) for slot in (10, 0, 1, 2, 3)),
        *((1, event) for event in (BEGUN, SAMPLED, child(0), child(1))),
        *((2, event) for event in (BEGUN, SAMPLED, GENERATION, FINISHED, PUSHED, AgentWaiting())),
        (3, AgentEnded(stopped=False)),
        (10, AgentEnded(stopped=True)),
    )
    assert found.rows() == (
        ("agent-0", "-", "-", "-", "-", "-", "starting"),
        ("agent-1", "digits", "1", "1/3", "2/4", "50.00%", "cycle 1/4, 0%"),
        ("agent-2", "digits", "1", "1/3", "0/4", "95.00%", "waiting"),
        ("agent-3", "-", "-", "-", "-", "-", "done"),
        ("agent-10", "-", "-", "-", "-", "-", "stopped"),
    )


def test_an_agent_elsewhere_is_told_with_its_machine_and_one_that_goes_on_there_by_itself_is_not_waited_for() -> None:
    there = replace(STARTED, agent="agent-0", host="node-7")
    assert pool_line(there) == "agent-0: process 17 of node-7 on core 2, 3"
    lost = replace(FAILED, agent="agent-0", reason="node-7 was lost", failures=1, again_s=0.0)
    assert pool_line(lost) == "agent-0: failed (1 time in a row), starting it again: node-7 was lost"
    assert fleet((0, there), (0, lost)).rows()[0][-1] == "failed"


def test_an_agent_that_failed_says_when_it_is_started_again_and_one_that_is_given_up_says_so() -> None:
    at = [100.0]
    found = fleet((0, STARTED), (0, FAILED), (1, STARTED), (1, replace(FAILED, again_s=None)), at=at)
    at[0] = 101.0
    assert [row[-1] for row in found.rows()] == ["again in 3 s", "given up"]
    found.update(replace(STARTED, agent="agent-0"))
    assert found.rows()[0][-1] == "starting"


def test_the_next_iteration_of_an_agent_that_waited_is_shown() -> None:
    found = fleet((0, STARTED), (0, AgentWaiting()), (0, replace(BEGUN, task="late")))
    assert found.rows()[0][1:3] == ("late", "1")
    assert found.rows()[0][-1] == "starting"


def test_the_table_fits_80_columns() -> None:
    begun = replace(BEGUN, task="sklearn-digits/five-or-more", iteration=100, generations=16, children=64)
    stream = io.StringIO()
    Console(file=stream, width=80).print(fleet((0, STARTED), (0, begun), (12, STARTED), (12, FAILED)).view())
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["agent", "task", "iter.", "gen.", "children", "best", "now"]
    assert lines[-1].strip() == "0 s"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (STARTED, "agent-1: process 17 on core 2, 3"),
        (AgentRemark(text="warning: x"), "agent-1: warning: x"),
        (FAILED, "agent-1: failed (2 times in a row), starting it again in 4 s: The disk is full"),
        (replace(FAILED, again_s=None), "agent-1: failed (2 times in a row), given up: The disk is full"),
        (AgentEnded(stopped=True), "agent-1: stopped"),
        (AgentEnded(stopped=False), "agent-1: nothing is left to do"),
        (AgentWaiting(), "agent-1: Nothing to do now; waiting for tasks."),
        (SAMPLED, None),
        (PUSHED, None),
    ],
)
def test_in_a_pipe_each_line_names_its_agent(event, line: str | None) -> None:
    assert pool_line(replace(event, agent="agent-1")) == line


def test_results_of_a_pool_go_to_stdout_and_all_else_to_stderr(context: Context, capsys) -> None:
    with _shown(Session(context=context), results=True) as show:
        show(replace(STARTED, agent="agent-0"))
        show(replace(FINISHED, agent="agent-0"))
    said = capsys.readouterr()
    assert said.out.startswith("digits: iteration 1 finished: ")
    assert said.err == "agent-0: process 17 on core 2, 3\n"


def report(outcome, **more) -> AgentReport:
    return AgentReport(agent="agent-1", outcome=outcome, iterations=0, failures=5, **more)


@pytest.mark.parametrize(
    ("agent", "message", "hint"),
    [
        (
            report("failed", reason="The disk is full."),
            "Given up: agent-1. The disk is full.",
            "Where all stands: mu2net status. The same command goes on.",
        ),
        (
            report("failed", reason="No preset 'x'.", hint="Presets: a, b."),
            "Given up: agent-1. No preset 'x'.",
            "Presets: a, b.",
        ),
        (report("done", left_out=("b",)), "Not improved, as told above: b. All else was done.", None),
    ],
)
def test_a_pool_that_could_not_do_all_ends_with_an_error(
    context: Context, agent: AgentReport, message: str, hint: str | None
) -> None:
    with pytest.raises(SearchError) as failure:
        _conclude(Session(context=context), PoolResult(agents=(agent,), iterations=(), stopped=False))
    assert (failure.value.message, failure.value.hint) == (message, hint)


@pytest.fixture
def _usual_signals() -> Iterator[None]:
    """Has signals end this process, however the tests were started."""
    before = {
        number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_usual_signals")
def test_the_first_wish_to_end_is_met_at_a_safe_point_and_the_second_at_once() -> None:
    before, heard = signal.getsignal(signal.SIGTERM), list[str]()
    with heeded(lambda: heard.append("soon"), lambda: heard.append("now")):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.raise_signal(number)
    assert heard == ["soon", "now", "now"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("_usual_signals")
def test_a_process_that_was_started_to_outlive_its_terminal_does() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    heard = list[str]()
    with heeded(lambda: heard.append("soon"), lambda: heard.append("now")):
        signal.raise_signal(signal.SIGHUP)
        assert heard == []
        signal.raise_signal(signal.SIGTERM)
    assert heard == ["soon"]


@pytest.mark.parametrize("is_pipe", [True, False])
def test_the_end_of_stdin_is_a_wish_to_end_if_it_is_a_pipe(is_pipe: bool, tmp_path: Path) -> None:
    heard, kept = threading.Event(), os.dup(0)
    ours, theirs = os.pipe()
    os.dup2(ours if is_pipe else os.open("/dev/null", os.O_RDONLY), 0)
    try:
        before = threading.active_count()
        when_stdin_ends(heard.set)
        assert threading.active_count() == before + is_pipe
        assert not heard.is_set()
        os.close(theirs)
        assert heard.wait(60) if is_pipe else not heard.is_set()
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(ours)
