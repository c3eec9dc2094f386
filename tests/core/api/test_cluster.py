"""Agents on a Ray cluster, as far as it goes without one; tests/test_ray.py has real nodes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any
from unittest.mock import Mock

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.keeping_up import PULL_PERIOD_S
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.cluster import Cluster, meeting_place, share, take_in
from mu2net_core.api.pool.exchanging import Exchanging
from mu2net_core.api.pool.happenings import AgentEnded, AgentFailed, AgentStarted, PoolEvent
from mu2net_core.api.pool.home import Home, home_of
from mu2net_core.api.pool.job import Job
from mu2net_core.api.pool.pool import Stopping, _Pool, run_pool
from mu2net_core.api.pool.pool import _watch_over as watch_over
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.ray_executor import RayExecutor
from mu2net_core.api.pool.ray_package import load_ray
from mu2net_core.api.pool.ray_task import carry_out
from mu2net_core.api.pool.resources import AgentResources, parse_resources
from mu2net_core.api.pool.restarts import MOST_FAILURES
from mu2net_core.api.pool.seat import Seat
from mu2net_core.api.pool.sink import Heard, Sink
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import InvalidInputError, NotFoundError, PluginError, StorageError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.remotes import Exchange
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

CLUSTER = Cluster(address="10.0.0.1:6379")


# What is asked for


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu=1,cpu=2", {"CPU": 2, "GPU": 1}),
        ("GPU=0.5", {"CPU": 1, "GPU": 0.5}),
        (" cpu = 0 , tpu-slice = 2 ", {"tpu-slice": 2}),
    ],
)
def test_what_an_agent_needs_is_read_from_text(text: str, found: dict[str, float]) -> None:
    assert parse_resources(text).by_name == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected NAME=NUMBER, got ''"),
        ("gpu", "Expected NAME=NUMBER, got 'gpu'"),
        ("gpu=one", "Expected NAME=NUMBER, got 'gpu=one'"),
        ("cpu=-1", "Expected a number from 0 of CPU, got -1"),
        ("cpu=inf", "Expected a number from 0 of CPU, got inf"),
        ("gpu=1.5", "a whole number of them, got 1.5"),
        ("cpu=1,CPU=2", "one number of CPU, got several"),
        ("memory=8", "got memory"),
    ],
)
def test_what_no_agent_can_need_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_resources(text)


def test_it_is_known_whether_any_node_has_enough_for_an_agent() -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}]
    assert parse_resources("gpu=1").fit(nodes)
    assert not parse_resources("gpu=1,cpu=2").fit(nodes)
    assert parse_resources("gpu=1,cpu=2").words == "2 CPU, 1 GPU"


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "RAY://h:1"])
def test_the_client_of_ray_is_refused_with_what_to_do_instead(address: str) -> None:
    with pytest.raises(InvalidInputError, match="behind Ray's client") as caught:
        Cluster(address=address)
    assert "--ray-address HOST:6379" in str(caught.value.hint)


@pytest.mark.parametrize("address", ["auto", "local", "", "10.0.0.1", "h:", "h:123456", "http://h:8265"])
def test_the_address_of_a_cluster_is_never_guessed(address: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected the address of a Ray cluster, HOST:PORT"):
        Cluster(address=address)


@pytest.mark.parametrize("address", ["head.local:6379", "10.0.0.1:6379", "[::1]:6379"])
def test_a_cluster_is_named_by_host_and_port(address: str) -> None:
    assert Cluster(address=address).address == address


def test_without_ray_it_is_said_what_to_install_and_nothing_was_done(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    add_sample_task(ann, "new")
    with pytest.raises(PluginError) as caught:
        run_pool(ann, context, None, EvolveOptions(agents=2), program=[], cluster=CLUSTER)
    assert caught.value.hint == "Install it here and on every node: pip install 'mu2net[ray]'"
    assert open_repository(context.cwd / "shared").refs.head("new") is None


def test_ray_is_told_to_tell_nobody_of_itself_before_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.setitem(sys.modules, "ray", sys)
    assert load_ray() is sys
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


# What is shared before agents begin, and after


@pytest.fixture
def ray_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", sys)


def test_agents_on_a_cluster_need_a_remote(repo: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="meet at a remote, and there is none") as caught:
        meeting_place(repo, context)
    assert caught.value.hint == "Add one that all nodes reach: mu2net remote add origin s3://BUCKET/FOLDER"


@pytest.mark.usefixtures("ray_is_there")
def test_what_agents_on_a_cluster_find_is_always_pushed(ann: Repository, context: Context) -> None:
    with pytest.raises(InvalidInputError, match="expected no --no-push"):
        run_pool(ann, context, None, EvolveOptions(agents=2, push=False), program=[], cluster=CLUSTER)


def test_both_sides_are_the_same_before_agents_begin(
    ann: Repository, bob: Repository, context: Context, tmp_path: Path
) -> None:
    mine = evolve_sample(ann, "a", score=0.7, seed=7).commit
    theirs = evolve_sample(bob, "b", score=0.8, seed=8).commit
    share(bob, context, ["b"])
    assert share(ann, context, ["a", "b", "c"]) == ("a", "b", "c")
    shared = open_repository(tmp_path / "shared")
    assert [copy.refs.head("b").commit for copy in (ann, shared)] == [theirs, theirs]
    assert shared.refs.head("a").commit == mine


def test_a_remote_that_is_not_there_yet_is_made(
    repo: Repository, context: Context, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warned = list[str]()
    add_sample_task(repo, "a")
    remote.add(repo, context, "origin", "fresh")
    assert share(repo, replace(context, warn=warned.append), ["a"]) == ("a",)
    assert open_repository(tmp_path / "fresh").refs.head("a") is not None
    assert warned == ["there is no repository at origin yet: this makes one"]


def test_tasks_that_the_remotes_readers_may_not_see_are_left_out(ann: Repository, context: Context) -> None:
    add_sample_task(ann, "mine", access=AccessRule(readers=frozenset()))
    warned = list[str]()
    told = replace(context, warn=warned.append)
    assert share(ann, told, ["a", "mine"]) == ("a",)
    assert warned == ["not for the readers of origin, and left out: mine"]
    with pytest.raises(InvalidInputError, match="readers of origin may not see mine"):
        share(ann, told, ["mine"])


def test_what_agents_found_is_brought_here_and_one_is_told_if_that_fails(
    ann: Repository, bob: Repository, context: Context, tmp_path: Path
) -> None:
    found = evolve_sample(bob, "a", score=0.9, seed=9).commit
    share(bob, context, ["a"])
    take_in(ann, context)
    assert ann.refs.head("a").commit == found
    (tmp_path / "shared").rename(tmp_path / "gone")
    warned = list[str]()
    take_in(ann, replace(context, warn=warned.append))
    assert len(warned) == 1
    assert warned[0].endswith("Try: mu2net pull")


def test_what_cannot_be_waited_for_any_more_is_brought_here_later(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned = list[str]()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mu2net_core.api.pool.cluster.pull", interrupted)
    take_in(ann, replace(context, warn=warned.append))
    assert warned == ["what agents found is at the remote, and not here yet: this was ended before. Try: mu2net pull"]


@pytest.mark.usefixtures("ray_is_there")
@pytest.mark.parametrize("signals", [1, 2])
def test_signals_end_what_the_pool_exchanges_before_and_after_agents_work(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch, signals: int
) -> None:
    """The first one comes before any agent; of two the second one comes while the pool pulls at its end."""
    stopping, pulls, warned = Stopping(), list[int](), list[str]()

    def ask(*_: object) -> Exchange:
        pulls.append(1)
        if signals == 1 or len(pulls) == 2:
            stopping.ask()
        return pull(ann, context)

    monkeypatch.setattr("mu2net_core.api.pool.cluster.pull", ask)
    monkeypatch.setattr("mu2net_core.api.pool.pool.RayExecutor.connect", lambda *_, **__: Nobody(stopping))
    told = replace(context, warn=warned.append)
    if signals == 1:
        with pytest.raises(KeyboardInterrupt):
            run_pool(ann, told, None, EvolveOptions(agents=1), program=[], cluster=CLUSTER, stopping=stopping)
        assert len(pulls) == 1
        return
    result = run_pool(ann, told, None, EvolveOptions(agents=1), program=[], cluster=CLUSTER, stopping=stopping)
    assert (result.stopped, len(pulls)) == (True, 2)
    assert warned == ["what agents found is at the remote, and not here yet: this was ended before. Try: mu2net pull"]


class Nobody:
    """Runs agents that end when they are asked to; asks the pool to end as soon as one was started."""

    def __init__(self, stopping: Stopping) -> None:
        self.stopping, self.said = stopping, list[Said]()

    def start(self, job: Job) -> Nobody:
        self.stopping.ask()
        return self

    def hear(self, timeout_s: float) -> list[Said]:
        del timeout_s
        heard, self.said = self.said, []
        return heard

    def stop(self) -> None:
        self.said.append(said("end", code=130))

    def kill(self) -> None: ...

    def close(self) -> None: ...


# What the pool exchanges while agents work


@pytest.fixture
def now() -> list[datetime]:
    return [datetime.now(UTC)]


def test_tasks_that_are_added_later_reach_agents_that_watch_and_what_these_find_comes_here(
    ann: Repository, bob: Repository, context: Context, tmp_path: Path, now: list[datetime]
) -> None:
    exchange = Exchanging(repo=ann, context=replace(context, now=lambda: now[0]), tasks=None)
    exchange.step()
    add_sample_task(ann, "late")
    add_sample_task(ann, "mine", access=AccessRule(readers=frozenset()))
    found = evolve_sample(bob, "a", score=0.9, seed=9).commit
    push(bob, context)
    now[0] += timedelta(seconds=PULL_PERIOD_S + 1)
    exchange.step()
    shared = open_repository(tmp_path / "shared")
    assert (shared.refs.head("late") is not None, shared.refs.head("mine")) == (True, None)
    assert ann.refs.head("a").commit == found


def test_where_the_data_of_a_later_task_lies_is_news_once(ann: Repository, context: Context) -> None:
    exchange = Exchanging(repo=ann, context=context, tasks=None)
    open_repository(ann.path).update_config(lambda one: one.with_setting("evolve.children", 3))
    exchange.step()
    assert not exchange.has_news()
    open_repository(ann.path).update_config(lambda one: one.with_setting("data.late", "npz:/late.npz"))
    exchange.step()
    assert [exchange.has_news(), exchange.has_news()] == [True, False]
    assert home_of(ann, context, "origin", 0).settings["data.late"] == "npz:/late.npz"


def test_agents_that_watch_are_renewed_when_there_is_news_for_them(ann: Repository, context: Context) -> None:
    seats, news = [Mock(report=None), Mock(report=None)], [True, False]

    def hear(_timeout_s: float) -> list[Said]:
        for seat in seats:
            seat.report = "over"
        return []

    watch_over(seats, Mock(hear=hear), Stopping(), Mock(has_news=lambda: news.pop(0)))
    assert [seat.renew.call_count for seat in seats] == [1, 1]


@pytest.mark.usefixtures("ray_is_there")
@pytest.mark.parametrize("watch", [True, False])
def test_only_a_pool_that_watches_exchanges_while_agents_work(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch, *, watch: bool
) -> None:
    began, stopping = list[Sequence[str] | None](), Stopping()
    monkeypatch.setattr(Exchanging, "__enter__", lambda self: (began.append(self.tasks), self)[1])
    monkeypatch.setattr(Exchanging, "__exit__", lambda *_: None)
    monkeypatch.setattr("mu2net_core.api.pool.pool.RayExecutor.connect", lambda *_, **__: Nobody(stopping))
    asked = EvolveOptions(agents=1, watch=watch)
    run_pool(ann, context, None, asked, program=[], cluster=CLUSTER, stopping=stopping)
    assert began == ([None] if watch else [])


def test_of_agents_that_watch_a_pool_remembers_the_last_iterations_only() -> None:
    for watch, kept in ((True, 1000), (False, None)):
        job = Job(tasks=None, options=EvolveOptions(agents=2, watch=watch))
        seats = _Pool(executor=Mock()).seats(job, lambda _event: None)
        assert [seat.finished.maxlen for seat in seats] == [kept, kept]


def test_a_pool_that_watches_exchanges_until_its_end(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, steps = Flag(), list[int]()
    monkeypatch.setattr("mu2net_core.api.pool.exchanging._LOOK_S", 0.0)
    monkeypatch.setattr(Exchanging, "step", lambda _self: (steps.append(1), began.set()))
    exchange = Exchanging(repo=ann, context=context, tasks=None)
    with exchange:
        assert began.wait(60)
    assert not exchange._thread.is_alive()


# What supervisors tell


def said(kind: Any, text: str = "", code: int = 0, slot: int = 0) -> Said:
    return Said(slot=slot, kind=kind, text=text, code=code)


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


# What a pool makes of it


class Place:
    """Where an agent runs that goes on elsewhere by itself."""

    def __init__(self) -> None:
        self.events, self.done = list[PoolEvent](), list[str]()
        self.seat = Seat(slot=0, start=lambda: self, on_event=self.events.append, clock=lambda: 0.0)
        self.seat.go()

    def stop(self) -> None:
        self.done.append("stop")

    def kill(self) -> None:
        self.done.append("kill")

    def close(self) -> None:
        self.done.append("close")

    def hear(self, kind: Any, text: str = "", code: int = 0) -> None:
        self.seat.hear(said(kind, text, code))


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
    assert place.done == ["kill"]
    place.hear("end", code=-9)
    assert place.seat.report is not None
    assert (place.seat.report.outcome, place.seat.report.reason) == ("failed", "node-7 was lost")


def test_what_is_told_keeps_its_run_and_attempt() -> None:
    assert Heard(run=1, attempt="x", said=said("event")).said.kind == "event"


def test_an_agent_needs_one_core_unless_it_is_told_otherwise() -> None:
    assert AgentResources().by_name == {"CPU": 1.0}
