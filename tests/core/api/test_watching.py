"""An agent that watches: it takes in what others share, and waits while there is nothing to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event as Flag

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.keeping_up import PULL_PERIOD_S, KeepingUp, Watching
from mu2net_core.api.evolving.pushing import is_pushed
from mu2net_core.api.evolving.turns import Turn
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.push import push
from mu2net_core.events import AgentWaiting, Event
from mu2net_core.repo import Repository, load_system
from mu2net_core.testing.building.samples import add_sample_task
from mu2net_core.testing.servers.wrappers import DistantStore, Watched


@dataclass
class Impatient(Flag):
    """A flag that nobody waits for: each wait is noted, and the last of so many sets it."""

    most: int
    waited: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        if len(self.waited) >= self.most:
            self.set()
        return self.is_set()


class Turns:
    """Turns that are there, or not, one after the other."""

    def __init__(self, *turns: str | None) -> None:
        self.turns = list(turns)

    def next(self) -> Turn | None:
        name = self.turns.pop(0) if self.turns else None
        return None if name is None else Turn(task=name, claim=Flag())  # type: ignore[arg-type]

    def drop(self, task: str) -> None: ...

    def left(self) -> tuple[str, ...]:
        return ()


def watching(turns: Turns, stop: Flag, events: list[Event], looks: list[int]) -> Watching:
    return Watching(
        turns=turns, keep_up=lambda: looks.append(1), is_over=stop.is_set, stop=stop, on_event=events.append
    )


def test_who_finds_nothing_says_so_once_and_looks_again_until_there_is_something() -> None:
    stop, events, looks = Impatient(most=9), list[Event](), list[int]()
    turn = watching(Turns(None, None, "a"), stop, events, looks).next()
    assert turn is not None
    assert turn.task == "a"
    assert events == [AgentWaiting()]
    assert (len(looks), len(stop.waited)) == (3, 2)


def test_who_is_stopped_while_there_is_nothing_to_do_ends() -> None:
    stop, looks = Impatient(most=3), list[int]()
    assert watching(Turns(), stop, [], looks).next() is None
    assert len(looks) == 3


def test_all_agents_of_a_working_copy_together_pull_once_a_minute(
    ann: Repository, bob: Repository, context: Context
) -> None:
    now = [datetime.now(UTC) - timedelta(hours=1)]  # of this machine; the disk may be another's
    clock = replace(context, now=lambda: now[0])
    first, second = (KeepingUp(bob, clock, "origin") for _ in range(2))
    first()
    add_sample_task(ann, "late")
    push(ann, context)
    second()
    assert "late" not in load_system(bob).heads
    now[0] += timedelta(seconds=PULL_PERIOD_S + 5)
    second()
    assert "late" in load_system(bob).heads


def test_while_nothing_is_new_a_look_at_a_remote_is_one_request_whatever_it_has(
    ann: Repository, bob: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched, now = Watched(DistantStore), [datetime.now(UTC)]
    monkeypatch.setattr("mu2net_core.repo.remotes.remotes.default_open_store", lambda url, *_, **__: watched(url))
    keep_up = KeepingUp(bob, replace(context, now=lambda: now[0]), "origin")
    keep_up()
    for _ in range(2):
        now[0] += timedelta(seconds=PULL_PERIOD_S + 5)
        before = watched.calls
        keep_up()
        assert watched.calls - before == {"list": 1}


def test_a_remote_that_cannot_be_reached_is_told_once_and_stops_nothing(repo: Repository, context: Context) -> None:
    warnings: list[str] = []
    now = [datetime.now(UTC)]
    clock = replace(context, warn=warnings.append, now=lambda: now[0])
    remote.add(repo, context, "origin", "nowhere")
    keep_up = KeepingUp(repo, clock, "origin")
    for _ in range(3):
        keep_up()
        now[0] += timedelta(seconds=PULL_PERIOD_S + 5)
    (warning,) = warnings
    assert warning.startswith("nothing is pulled from origin for now: ")


def test_who_watches_pushes_where_there_is_a_remote_unless_told_otherwise(ann: Repository, repo: Repository) -> None:
    del repo
    assert is_pushed(ann, EvolveOptions(watch=True))
    assert not is_pushed(ann, EvolveOptions(watch=True, push=False))
    assert not is_pushed(ann, EvolveOptions())


def test_who_watches_a_repository_without_a_task_waits_for_one(repo: Repository, context: Context) -> None:
    stop, events = Impatient(most=2), list[Event]()
    result = evolve(repo, context, None, EvolveOptions(watch=True, slot=1), on_event=events.append, stop=stop)
    assert result.stopped
    assert result.iterations == ()
    assert events == [AgentWaiting(agent="agent-1")]
