from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.log import HowRun, log, log_entry, parse_since
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Children, Commit, Run, encode, hash_bytes, object_key, to_json
from mu2net_core.repo import Repository, open_repository
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_entries_of_all_tasks_newest_first(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "cats")
    add_sample_task(repo, "dogs")
    for score in (0.5, 0.75):
        evolve_sample(repo, "cats", score=score)
    evolve_sample(repo, "dogs", score=0.25)
    rm_task(repo, context, "dogs")
    entries = list(log(repo))
    assert [(e.task, e.event, e.iteration) for e in entries][:2] == [("dogs", "remove", 1), ("cats", "iteration", 2)]
    assert {(e.task, e.event) for e in entries[2:4]} == {("cats", "iteration"), ("dogs", "iteration")}
    assert [e.event for e in entries[4:]] == ["add", "add"]
    times = [e.finished_at for e in entries]
    assert times == sorted(times, reverse=True)


def test_an_entry_tells_what_an_iteration_brought(repo: Repository) -> None:
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5)
    state = evolve_sample(repo, "cats", score=0.75)
    second, first, added = log(repo, "cats")
    assert second.commit == state.commit
    assert (second.validation, second.test, second.gain) == (0.75, 0.75, 0.25)
    assert (first.gain, added.validation, added.model) == (None, None, None)
    assert second.parents == (first.commit,)
    assert second.agent is not None
    assert second.agent.id == repo.agent_id
    assert to_json(second)["gain"] == 0.25


def test_what_became_of_the_children(repo: Repository) -> None:
    state = add_sample_task(repo, "cats")
    children = Children(sampled=32, kept=5, discarded={"score": 26, "nan": 1})
    commit = replace(repo.objects.commit(state.commit), children=children, message="x")
    entry = log_entry(repo, repo.objects.put(commit))
    assert (entry.sampled, entry.kept, entry.discarded) == (32, 5, {"score": 26, "nan": 1})


@pytest.mark.parametrize(
    ("preset", "settings", "method", "validations"),
    [
        ("vit-mini", {}, "mu2net-plus", 4),
        ("vit-l", {}, "mu2net-plus", 8),
        ("vit-mini", {"evolve.method": "random", "evolve.validations": 2}, "random", 2),
        ("of the future", {}, None, None),
    ],
)
def test_how_an_iteration_was_run(
    repo: Repository, preset: str, settings: dict[str, str | int], method: str | None, validations: int | None
) -> None:
    state = add_sample_task(repo, "cats")
    run = Run(
        preset=preset,
        settings=settings,
        digest="d" * 64,
        seed=7,
        generations=3,
        children=4,
        done=2,
        processor="p",
        cores=1,
    )
    commit = replace(repo.objects.commit(state.commit), run=run, message="x")
    assert log_entry(repo, repo.objects.put(commit)).run == HowRun(
        seed=7, method=method, generations=3, done=2, children=4, validations=validations
    )
    assert log_entry(repo, state.commit).run is None


def test_a_merge_comes_before_its_parents_and_each_parent_once(repo: Repository) -> None:
    state = add_sample_task(repo, "cats")
    base = repo.objects.commit(state.commit)
    left = evolve_sample(repo, "cats", score=0.5)
    head = repo.objects.commit(left.commit)
    right = repo.objects.put(replace(head, message="other", finished_at="2026-01-01T00:09:00.000000+00:00"))
    merge = Commit(
        task="cats",
        task_id=base.task_id,
        model=head.model,
        parents=tuple(sorted((left.commit, right))),
        iteration=1,
        started_at=head.started_at,
        finished_at="2026-01-01T00:09:00.000000+00:00",
        message="merge",
    )
    repo.refs.append("cats", repo.objects.put(merge), after=left)
    entries = list(log(repo, "cats"))
    assert [e.event for e in entries] == ["merge", "iteration", "iteration", "add"]
    assert entries[0].agent is None
    assert entries[1].commit == right


EARLY = "2020-01-01T00:00:00.000000+00:00"


def test_a_clock_that_went_back_does_not_put_a_parent_first(repo: Repository) -> None:
    state = add_sample_task(repo, "cats")
    commit = replace(repo.objects.commit(state.commit), parents=(state.commit,), finished_at=EARLY)
    repo.refs.append("cats", repo.objects.put(commit), after=state)
    assert [e.finished_at[:4] for e in log(repo)] == ["2020", "2026"]


def test_since_and_limit(repo: Repository) -> None:
    add_sample_task(repo, "cats")
    for score in (0.1, 0.2, 0.3):
        evolve_sample(repo, "cats", score=score)
    assert [e.iteration for e in log(repo, limit=2)] == [3, 2]
    assert list(log(repo, limit=0)) == []
    since = datetime(2026, 1, 1, 0, 3, tzinfo=UTC)
    assert [e.iteration for e in log(repo, since=since)] == [3, 2]


def test_an_unknown_task_gets_near_names_at_once(repo: Repository) -> None:
    add_sample_task(repo, "cats")
    with pytest.raises(NotFoundError, match="There is no task 'cat'") as error:
        log(repo, "cat")
    assert error.value.hint == "Did you mean cats?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2d", NOW - timedelta(days=2)),
        ("3 hours ago", NOW - timedelta(hours=3)),
        ("90min", NOW - timedelta(minutes=90)),
        ("1 week", NOW - timedelta(weeks=1)),
        ("2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-02-01T10:00+02:00", datetime(2026, 2, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_a_user_means(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2d3h", "2026-13-01", "-1d", "999999w"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(InvalidInputError, match="Not a time"):
        parse_since(text, NOW)


def test_of_a_long_history_each_object_is_read_once(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    state = add_sample_task(repo, "cats")
    evolved = evolve_sample(repo, "cats", score=0.5)
    commit, parent = repo.objects.commit(evolved.commit), evolved.commit
    model = repo.objects.model(str(commit.model))
    for number in range(1000):
        ids = [_write(repo, "model", encode(replace(model, seed=number)))]
        moment = (NOW + timedelta(seconds=number)).isoformat(timespec="microseconds")
        ids.append(_write(repo, "commit", encode(replace(commit, model=ids[0], parents=(parent,), finished_at=moment))))
        parent = ids[1]
    repo.refs.append("cats", parent, after=repo.refs.head("cats"))
    asked: Counter[str] = Counter()
    for name in ("read", "exists", "size", "modified", "list"):
        monkeypatch.setattr(LocalStore, name, _counted(getattr(LocalStore, name), asked))
    entries = list(log(open_repository(repo.worktree)))
    assert len(entries) == 1002
    assert entries[-1].commit == state.commit
    assert sum(key.startswith("objects/") for key in asked) > 2 * 1000
    assert {times for key, times in asked.items() if key.startswith("objects/")} == {1}
    assert asked.total() < 2 * 1002 + 50


def _counted(call: Callable[..., Any], asked: Counter[str]) -> Callable[..., Any]:
    """Returns the method of a store, which counts how often it is asked for what."""

    def counted(self: LocalStore, key: str, **options: Any) -> Any:
        asked[key] += 1
        return call(self, key, **options)

    return counted


def _write(repo: Repository, kind: str, data: bytes) -> str:
    """Stores an object without waiting for the disk."""
    oid = hash_bytes(data)
    path = repo.path / object_key(kind, oid)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return oid
