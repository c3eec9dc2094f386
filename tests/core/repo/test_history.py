from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.looking.log import log
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, load_system
from mu2net_core.repo.history import commit_index as history
from mu2net_core.repo.history.commit_index import History
from mu2net_core.repo.history.merging import ancestry, merge
from mu2net_core.repo.history.notes import forget_history
from mu2net_core.repo.history.system import load_rules
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample

FILE = "history"


@pytest.fixture(autouse=True)
def _one_new_commit_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_WORTH", 1)


@pytest.fixture
def told(repo: Repository) -> Repository:
    """A repository with a fork that was merged, a private task, a removed one, and no file yet."""
    for task in ("a", "b", "gone"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5)
    add_sample_task(repo, "secret", AccessRule.only(["secret"]))
    base = repo.refs.head("a")
    assert base is not None
    ours = evolve_sample(repo, "a", score=0.6, seed=7)
    theirs = replace(repo.objects.commit(ours.commit), parents=(base.commit,), message="elsewhere")
    joined = merge(repo.objects, [ours.commit, repo.objects.put(theirs)])[1]
    repo.refs.append("a", repo.objects.put(joined), after=ours)
    gone = repo.refs.head("gone")
    assert gone is not None
    removal = replace(repo.objects.commit(gone.commit), parents=(gone.commit,), removed=True, snapshot=None)
    repo.refs.append("gone", repo.objects.put(removal), after=gone)
    forget_history(repo.store)
    return repo


def tips(repo: Repository) -> list[str]:
    return [state.commit for state in repo.refs.heads().values()]


def answers(repo: Repository) -> tuple[object, ...]:
    """Returns all that is told from the file."""
    system = load_system(repo)
    return list(log(repo)), dict(load_rules(repo)), dict(system.rules), system.kept


def file_of(repo: Repository) -> Path:
    return repo.state / FILE


def fresh(repo: Repository) -> tuple[object, ...]:
    """Returns what is told without the file, and leaves none."""
    forget_history(repo.store)
    found = answers(repo)
    forget_history(repo.store)
    return found


def test_it_walks_as_the_commits_say(told: Repository) -> None:
    for _ in range(2):  # from the objects, from the file
        walked = [past.oid for past in History(told).walk(tips(told))]
        assert walked == list(ancestry(told.objects, tips(told)))
    for past in History(told).walk(tips(told)):
        commit = told.objects.commit(past.oid)
        assert (past.task, past.parents, past.message) == (commit.task, commit.parents, commit.message)
        assert (past.agent, past.removed, past.snapshot) == (commit.agent, commit.removed, commit.snapshot)


def test_with_the_file_everything_is_told_as_without(told: Repository) -> None:
    without = fresh(told)
    answers(told)
    assert file_of(told).is_file()
    assert answers(told) == without


def test_what_it_knows_is_not_read_again(told: Repository) -> None:
    expected = answers(told)[0]
    for file in told.path.glob("objects/commit/*/*"):
        file.unlink()
    told.objects.forget()
    assert list(log(told)) == expected


def test_what_happened_since_is_told(told: Repository) -> None:
    answers(told)
    evolve_sample(told, "b", score=0.9, seed=9)
    add_sample_task(told, "later", AccessRule.only(["later"]))
    with_file = answers(told)
    assert with_file == fresh(told)
    assert with_file[1]["later"] == AccessRule.only(["later"])  # type: ignore[index]


def test_the_heads_decide_what_counts(told: Repository) -> None:
    answers(told)
    (told.path / "refs/heads/secret/00000001").unlink()
    told.refs = type(told.refs)(told.store)
    assert answers(told) == fresh(told)
    assert "secret" not in load_rules(told)


@pytest.mark.parametrize("place", [0, 20, 90, -1])
def test_a_damaged_file_is_ignored(told: Repository, place: int) -> None:
    expected = answers(told)
    data = bytearray(file_of(told).read_bytes())
    data[place] ^= 1
    file_of(told).write_bytes(data)
    assert answers(told) == expected
    assert file_of(told).read_bytes() != data


@pytest.mark.parametrize("data", [b"", b"\n", b"mu2net-history-0 x\n[]", b"x" * 100])
def test_a_file_of_something_else_is_ignored(told: Repository, data: bytes) -> None:
    expected = answers(told)
    file_of(told).write_bytes(data)
    assert answers(told) == expected


def test_where_it_cannot_be_written_nothing_is_lost(told: Repository) -> None:
    expected = fresh(told)
    file_of(told).mkdir()
    assert answers(told) == expected


def test_a_few_new_commits_are_not_worth_writing(told: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_WORTH", 1_000)
    answers(told)
    assert not file_of(told).exists()
