"""An agent takes a task while the remote where others would see that cannot be reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.turns import Shared
from mu2net_core.api.iterations.leased import leases_there
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import StorageError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, open_repository
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.servers.interception import stepping_in


def shared(tmp_path: Path) -> Repository:
    return open_repository(tmp_path / "shared")


def leases(repo: Repository) -> list[str]:
    return list(repo.store.list("leases"))


def away(tmp_path: Path) -> Callable[..., object]:
    """Returns what answers for storage while the shared repository cannot be reached."""

    def answer(_method: str, store: LocalStore, _key: str, call: Callable[[], object]) -> object:
        if store.root == tmp_path / "shared":
            raise StorageError("It is away.")
        return call()

    return answer


def test_a_remote_that_fails_stops_nothing_and_is_told_once(ann, claims, context: Context, tmp_path: Path) -> None:
    warned: list[str] = []
    own = claims(ann, remote="origin", context=replace(context, warn=warned.append))
    (tmp_path / "shared" / "config.toml").write_text(
        (tmp_path / "shared" / "config.toml").read_text().replace(ann.identity, "0" * 32)
    )
    for name in ("a", "b"):
        with own.take(name):
            pass
    assert len(warned) == 1
    assert warned[0].startswith("agents elsewhere do not see what is worked on here: The remote origin")
    assert leases(shared(tmp_path)) == []


def test_a_remote_that_fails_in_other_words_each_time_is_told_once_until_it_is_back(
    ann, claims, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    own = claims(ann, remote="origin", context=replace(context, warn=warned.append))
    failures = iter([1, 2, None, 3])

    def reached(*args: object) -> object:
        if (number := next(failures)) is not None:
            raise StorageError(f"It is away ({number} attempts).")
        return leases_there(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("mu2net_core.api.claiming.there.leases_there", reached)
    for name in ("a", "b", "a", "b"):
        own._there.leases = None
        with own.take(name):
            pass
    words = "agents elsewhere do not see what is worked on here: It is away"
    assert warned == [f"{words} (1 attempts).", f"{words} (3 attempts)."]


def test_while_a_remote_is_away_an_agent_stays_with_the_task_that_others_leave_to_it(ann, claims, tmp_path) -> None:
    """What it would do instead, others may be doing, or did since it last looked."""
    now = [0.0]
    own = claims(ann, remote="origin", clock=lambda: now[0])
    own._there.connected().observer.clock = lambda: now[0]
    turns = Shared(claims=own, tasks=None, asked=EvolveOptions(watch=True), seed=1, goals=None, first=("c",))

    def work() -> str:
        turn = turns.next()
        with turn.claim():
            evolve_sample(ann, turn.task, score=0.1, seed=int(now[0]) + 1)
        return turn.task

    claim = turns.next().claim()
    assert claim.task == "c"
    with stepping_in(away(tmp_path)):
        claim.__exit__(None, None, None)
        assert [work() for _ in range(4)] == ["c"] * 4
        now[0] = 180.0
        assert {work() for _ in range(4)} != {"c"}, "others count it for gone by now"


def test_a_task_that_was_given_back_at_a_remote_is_nothing_to_stay_with(ann, claims, context: Context) -> None:
    own = claims(ann, remote="origin")
    with own.take("a"):
        evolve_sample(ann, "a", score=0.9)
        push(ann, context)
    own._there.trouble(StorageError("It is away."))
    assert own.stays_at is None


def test_an_agent_waits_out_a_short_outage_before_it_begins_what_others_would_not_see_and_works_on_in_a_long_one(
    ann, claims, tmp_path
) -> None:
    now, own = [0.0], claims(ann, remote="origin", clock=lambda: now[0])
    own._there.connected()
    turns = Shared(claims=own, tasks=None, asked=EvolveOptions(watch=True), seed=1, goals=None)
    with stepping_in(away(tmp_path)):
        assert turns.next() is None
        assert own._here.all() == (), "it was given back"
    turn = turns.next()
    assert turn is not None, "the remote is back"
    turn.claim().__exit__(None, None, None)
    with stepping_in(away(tmp_path)):
        now[0] = 100.0
        assert turns.next() is None
        now[0] = 160.0
        turn = turns.next()
        assert turn is not None
        turn.claim().__exit__(None, None, None)


def test_while_an_agent_waits_for_a_remote_it_does_what_it_would_not_tell_there(ann, claims, tmp_path) -> None:
    add_sample_task(ann, "secret", AccessRule.only(["secret"]))
    own = claims(ann, remote="origin")
    own._there.connected()
    tasks = ("a", "b", "secret")
    turns = Shared(claims=own, tasks=tasks, asked=EvolveOptions(watch=True), seed=1, goals=None, first=("a",))
    with stepping_in(away(tmp_path)):
        turn = turns.next()
        assert turn is not None
        assert turn.task == "secret"
        turn.claim().__exit__(None, None, None)


def test_nobody_waits_for_a_remote_that_is_away_to_begin_what_it_may_not_know_of(ann, claims, tmp_path) -> None:
    add_sample_task(ann, "secret", AccessRule.only(["secret"]))
    own = claims(ann, remote="origin")
    own._there.trouble(StorageError("It is away."))
    assert own.waits("a")
    assert not own.waits("secret")
