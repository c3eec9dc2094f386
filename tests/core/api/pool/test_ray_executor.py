"""Agents as Ray's tasks, as far as it goes without Ray; tests/test_ray.py has real nodes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.cluster import Cluster
from mu2net_core.api.pool.home import Home
from mu2net_core.api.pool.job import Job
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.ray_executor import RayExecutor
from mu2net_core.api.pool.ray_task import carry_out
from mu2net_core.api.pool.sink import Sink
from mu2net_core.errors import InvalidInputError, StorageError

CLUSTER = Cluster(address="10.0.0.1:6379")


# What supervisors tell


def said(kind: Any, text: str = "", code: int = 0) -> Said:
    return Said(slot=0, kind=kind, text=text, code=code)


def test_a_sink_keeps_what_was_told_in_order_and_says_what_is_wished() -> None:
    async def talk() -> None:
        sink = Sink()
        await sink.begin(1, None)
        assert await sink.tell(1, "x", [said("start"), said("event", "a")]) == "go"
        await asyncio.wait_for(sink.news(), 60)
        assert [one.said.text for one in await sink.take()] == ["", "a"]
        assert await sink.take() == ()
        await sink.wish(1, "stop")
        assert await sink.tell(1, "x", []) == "stop"
        await sink.end(1)
        await sink.wish(1, "go")
        assert await sink.tell(1, "x", []) == "kill", "one that was taken for dead ends when it comes back"

    asyncio.run(talk())


def test_an_attempt_that_begins_later_has_what_is_left_of_the_time() -> None:
    async def talk() -> None:
        sink = Sink()
        await sink.begin(1, 0.0)
        await sink.begin(2, None)
        await sink.begin(3, 1e6)
        assert (await sink.left_s(1), await sink.left_s(2)) == (0.0, None)
        assert 0 < (await sink.left_s(3) or 0) < 1e6

    asyncio.run(talk())


def test_a_node_with_another_version_refuses_before_it_reads_the_order(ray_is_there: None) -> None:
    with pytest.raises(InvalidInputError, match=r"has mu2net \S+; expected 9\.9, as the pool has"):
        carry_out("9.9", b"what it cannot read", 0, None)


# What Ray is told, and what becomes of it


class Remote:
    """An actor or function that runs at once."""

    def __init__(self, ray: FakeRay, call: Callable[..., Any]) -> None:
        self._ray, self._call = ray, call

    def remote(self, *args: Any) -> str:
        return self._ray.put(self._call(*args))


class RayError(Exception):
    """What goes wrong in Ray."""


class TaskCancelledError(RayError):
    """A task that was taken back."""


@dataclass
class FakeRay:
    """What of Ray an executor uses: refs are names, and tasks are over when the test says so."""

    values: dict[str, Any] = field(default_factory=dict)
    cancelled: list[tuple[str, bool]] = field(default_factory=list)
    exceptions: Any = None

    def __post_init__(self) -> None:
        self.exceptions = type("exceptions", (), {"RayError": RayError, "TaskCancelledError": TaskCancelledError})

    def put(self, value: Any) -> str:
        ref = f"ref-{len(self.values)}"
        self.values[ref] = value
        return ref

    def get(self, ref: str) -> Any:
        if isinstance(self.values[ref], Exception):
            raise self.values[ref]
        return self.values[ref]

    def wait(self, refs: list[str], *, num_returns: int = 1, timeout: float = 0) -> tuple[list[str], list[str]]:
        ready = [ref for ref in refs if self.values[ref] is not None]
        return ready[:num_returns], [ref for ref in refs if ref not in ready]

    def cancel(self, ref: str, *, force: bool) -> None:
        self.cancelled.append((ref, force))


class Stage:
    """An executor on a cluster that is none."""

    def __init__(self) -> None:
        self.ray, self.sink, self.orders = FakeRay(), Sink(), list[tuple[Any, ...]]()
        names = ("begin", "wish", "end", "take")
        actor = type("Actor", (), {name: Remote(self.ray, self._asked(name)) for name in names})
        actor.news = Remote(self.ray, lambda: True if self.sink._told else None)
        self.executor = RayExecutor(
            ray=self.ray,
            sink=actor,
            task=Remote(self.ray, self._order),
            cluster=CLUSTER,
            program=("-m", "x"),
            home_of=lambda slot: Home(name="n", agent=f"a{slot}", url="u"),
        )
        self.run = self.executor.start(Job(tasks=None, options=EvolveOptions(slot=1, agents=2, budget_s=60.0)))

    def _asked(self, name: str) -> Callable[..., Any]:
        def ask(*args: Any) -> Any:
            found = asyncio.run(getattr(self.sink, name)(*args))
            return found if name == "take" else True

        return ask

    def _order(self, *order: Any) -> None:
        self.orders.append(order)

    def tell(self, attempt: str, *all_said: Said) -> str:
        return asyncio.run(self.sink.tell(0, attempt, all_said))

    def hear(self) -> list[tuple[str, str, int]]:
        self.executor._news = None
        return [(one.kind, one.text, one.code) for one in self.executor.hear(0)]


def test_what_an_agent_says_is_heard_before_it_ends_and_its_end_is_what_ray_says() -> None:
    stage = Stage()
    assert stage.hear() == []
    stage.tell("x", said("start", "node-7", 42), said("event", "a"))
    assert stage.hear() == [("start", "node-7", 42), ("event", "a", 0)]
    stage.tell("x", said("remark", "b"), said("end", code=3))
    stage.ray.values[stage.run.ref] = 3
    heard = stage.hear() + stage.hear()
    assert heard == [("remark", "b", 0), ("end", "", 3)]


def test_an_agent_whose_node_was_lost_is_told_and_what_comes_late_from_there_is_not_heard() -> None:
    stage = Stage()
    stage.tell("x", said("start", "node-7", 42), said("event", "a"))
    stage.tell("y", said("start", "node-8", 43))
    stage.tell("x", said("event", "late"), said("end", code=0))
    stage.tell("y", said("event", "b"))
    assert stage.hear() == [
        ("start", "node-7", 42),
        ("event", "a", 0),
        ("lost", "node-7, or its process there, was lost; it goes on elsewhere", 0),
        ("start", "node-8", 43),
        ("event", "b", 0),
    ]


def test_an_agent_that_no_node_has_begun_with_is_taken_back_and_others_are_asked_to_end() -> None:
    stage = Stage()
    stage.run.stop()
    assert stage.ray.cancelled == [(stage.run.ref, False)]
    stage.ray.values[stage.run.ref] = TaskCancelledError()
    assert stage.hear() == [("end", "", 130)]
    stage = Stage()
    stage.tell("x", said("start", "node-7", 42))
    stage.hear()
    stage.run.stop()
    assert stage.ray.cancelled == []
    assert stage.tell("x") == "stop"
    stage.run.close()
    assert stage.ray.cancelled == [(stage.run.ref, True)], "it was waited for long enough"


def test_a_supervisor_that_fails_says_why_in_its_last_line() -> None:
    stage = Stage()
    stage.ray.values[stage.run.ref] = RayError("Traceback ...\nInvalidInputError: node-7 has mu2net 0.0; expected 9.9.")
    assert stage.hear() == [
        ("remark", "error: InvalidInputError: node-7 has mu2net 0.0; expected 9.9.", 0),
        ("end", "", 1),
    ]


def test_what_is_wrong_with_a_node_is_said_in_our_words_and_the_next_attempt_would_meet_it_as_well() -> None:
    stage, failed = Stage(), RayError("Traceback ...")
    failed.cause = InvalidInputError("node-7 has mu2net 0.0; expected 9.9, as the pool has.")  # type: ignore[attr-defined]
    stage.ray.values[stage.run.ref] = failed
    assert stage.hear() == [
        ("remark", "error: node-7 has mu2net 0.0; expected 9.9, as the pool has.", 0),
        ("end", "", 2),
    ]


def test_a_cluster_that_is_lost_ends_the_pool_with_what_to_do() -> None:
    stage = Stage()
    stage.tell("x", said("start"))
    stage.executor.sink.take = Remote(stage.ray, lambda: RayError("the sink died"))
    with pytest.raises(StorageError, match=r"The Ray cluster at 10.0.0.1:6379 is lost: the sink died"):
        stage.hear()


def test_no_cluster_at_the_address_is_told_at_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", sys)
    nowhere = Cluster(address="127.0.0.1:1")
    with pytest.raises(StorageError, match=r"No Ray cluster answers at 127\.0\.0\.1:1"):
        RayExecutor.connect(context, nowhere, program=[], home_of=lambda _slot: pytest.fail("no agent is started"))
