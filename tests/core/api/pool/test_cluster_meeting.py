"""Where agents of a Ray cluster meet: what is shared before they begin, while they work and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from unittest.mock import Mock

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.keeping_up import PULL_PERIOD_S
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.cluster import Cluster, meeting_place, share, take_in
from mu2net_core.api.pool.exchanging import Exchanging
from mu2net_core.api.pool.home import home_of
from mu2net_core.api.pool.job import Job
from mu2net_core.api.pool.pool import Stopping, _Pool, run_pool
from mu2net_core.api.pool.pool import _watch_over as watch_over
from mu2net_core.api.pool.process import Said
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.remotes import Exchange
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

CLUSTER = Cluster(address="10.0.0.1:6379")


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
        self.said.append(Said(slot=0, kind="end", code=130))

    def kill(self) -> None: ...

    def close(self) -> None: ...


# While agents work


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
    began = Flag()
    monkeypatch.setattr("mu2net_core.api.pool.exchanging._LOOK_S", 0.0)
    monkeypatch.setattr(Exchanging, "step", lambda _self: began.set())
    exchange = Exchanging(repo=ann, context=context, tasks=None)
    with exchange:
        assert began.wait(60)
    assert not exchange._thread.is_alive()
