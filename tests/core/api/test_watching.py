"""An agent that watches: it takes in what others share, and waits while there is nothing to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path
from threading import Event as Flag
from types import SimpleNamespace

import pytest

from mu2net_core.api.claiming.claim import Claim
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.evolution import Evolution
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.keeping_up import PULL_PERIOD_S, KeepingUp, Watching
from mu2net_core.api.evolving.pushing import is_pushed
from mu2net_core.api.evolving.turns import Turn
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import AccessDeniedError, CredentialsExpiredError, Mu2netError, StorageError
from mu2net_core.events import AgentWaiting, Event
from mu2net_core.repo import Repository, load_system
from mu2net_core.repo.remotes import connect
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

    def rest(self, task: str) -> None: ...

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


def test_a_remote_that_fails_in_other_words_each_time_is_told_once_until_it_is_back(
    ann: Repository, bob: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    now, failures = [datetime.now(UTC)], iter([1, 2, None, 3])

    def reached(*args: object, **options: object) -> object:
        if (number := next(failures)) is not None:
            raise StorageError(f"It is away ({number} attempts).")
        return connect(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("mu2net_core.api.evolving.keeping_up.connect", reached)
    pushed: list[int] = []
    clock = replace(context, warn=warnings.append, now=lambda: now[0])
    keep_up = KeepingUp(bob, clock, "origin", lambda: pushed.append(len(warnings)))
    for _ in range(4):
        keep_up()
        now[0] += timedelta(seconds=PULL_PERIOD_S + 5)
    assert warnings == [f"nothing is pulled from origin for now: It is away ({number} attempts)." for number in (1, 3)]
    assert pushed == [1], "what waits to be pushed is tried where the remote was reached"


def test_a_disk_that_fails_is_told_once_and_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, warnings, turns = Impatient(most=9), list[str](), Turns("a")
    failures = iter([StorageError("No space left."), AccessDeniedError("No space left."), None])
    look = turns.next

    def fail() -> Turn | None:
        if (failure := next(failures)) is not None:
            raise failure
        return look()

    monkeypatch.setattr(turns, "next", fail)
    turn = replace(watching(turns, stop, [], []), warn=warnings.append).next()
    assert turn is not None
    assert turn.task == "a"
    assert warnings == ["nothing can be begun for now: No space left."]
    assert len(stop.waited) == 2


def test_a_disk_without_room_for_the_note_of_a_pull_is_waited_for(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", fail)
    stop, warnings, events = Impatient(most=2), list[str](), list[Event]()
    keep_up = KeepingUp(ann, context, "origin")
    turns = Watching(
        turns=Turns("a"),
        keep_up=keep_up,
        is_over=stop.is_set,
        stop=stop,
        on_event=events.append,
        warn=warnings.append,
    )
    assert turns.next() is None
    (warning,) = warnings
    assert "No space left on device" in warning


@pytest.mark.parametrize("error", [StorageError, CredentialsExpiredError])
@pytest.mark.parametrize("watch", [True, False])
def test_a_task_whose_storage_fails_is_left_out_for_a_while_by_who_watches_and_ends_any_other_run(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch, watch: bool, error: type[Mu2netError]
) -> None:
    tried, warnings, stop = list[str](), list[str](), Impatient(most=2)

    def fail(_run: object, claim: Claim, *_: object) -> None:
        tried.append(claim.task)
        raise error(f"Cannot bring what {claim.task} needs.")

    monkeypatch.setattr("mu2net_core.api.evolving.evolve.iterate", fail)
    asked = EvolveOptions(watch=watch, push=False, agents=1)
    told = replace(context, warn=warnings.append)
    if not watch:
        with pytest.raises(error):
            evolve(ann, told, None, asked, stop=stop)
        assert len(tried) == 1
        return
    evolve(ann, told, None, asked, stop=stop)
    assert sorted(tried) == ["a", "b", "c"], "each once, then it waits"
    assert sorted(warnings) == [f"{task} is left out for a while: Cannot bring what {task} needs." for task in "abc"]


@pytest.mark.parametrize(("watch", "kept"), [(True, 2), (False, 3)])
def test_who_watches_remembers_the_last_iterations_and_pushes_only(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch, watch: bool, kept: int
) -> None:
    """Agents run for weeks."""
    monkeypatch.setattr("mu2net_core.api.iterations.options._KEPT", 2)
    stop, done = Flag(), list[str]()

    def finish(run: Evolution, claim: Claim, *_: object) -> SimpleNamespace:
        done.append(claim.task)
        if len(done) == 3:
            stop.set()
        assert run.pusher is not None
        run.pusher.push(claim.task)
        return SimpleNamespace(task=claim.task)

    monkeypatch.setattr("mu2net_core.api.evolving.evolve.iterate", finish)
    result = evolve(ann, context, None, EvolveOptions(watch=watch, push=True, agents=None), stop=stop)
    assert len(done) == 3
    assert [one.task for one in result.iterations] == done[-kept:]
    assert [one.task for one in result.pushes] == done[-kept:]


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
