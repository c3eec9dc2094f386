"""Going back to an earlier state, here and for everybody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.log import log
from mu2net_core.api.looking.tasks import tasks
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import encode, object_key
from mu2net_core.repo import HeadState, Repository, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_tombstone


@pytest.fixture
def states(repo: Repository) -> list[HeadState]:
    """Returns the first four entries of the head of the task a: added, and three iterations."""
    return [add_sample_task(repo, "a"), *(evolve_sample(repo, "a", score=score) for score in (0.5, 0.6, 0.9))]


def model_of(repo: Repository, task: str = "a") -> str | None:
    head = repo.refs.head(task)
    assert head is not None
    return repo.objects.commit(head.commit).model


@pytest.mark.parametrize("revision", ["a@{2}", "@{2}", "a~2", "~2"])
def test_the_head_moves_on_to_the_state_it_had(
    repo: Repository, context: Context, states: list[HeadState], revision: str
) -> None:
    result = reset(repo, context, "a", revision)
    head = repo.refs.head("a")
    assert (head.number, head.commit) == (5, result.commit)
    before, commit = repo.objects.commit(states[3].commit), repo.objects.commit(head.commit)
    assert commit.parents == (states[3].commit,)
    assert commit.model == repo.objects.commit(states[1].commit).model == result.model
    assert commit.reset_to == result.target == states[1].commit
    assert result.left_behind == (states[3].commit, states[2].commit)
    assert (commit.iteration, commit.selections) == (before.iteration, before.selections)
    assert next(log(repo, "a")).event == "reset"
    assert not fsck(repo, context).problems


def test_a_commit_a_model_and_a_tag_name_a_state(repo: Repository, context: Context, states: list[HeadState]) -> None:
    create(repo, context, "v1")
    model = repo.objects.commit(states[2].commit).model
    assert reset(repo, context, "a", states[1].commit[:12]).target == states[1].commit
    assert reset(repo, context, "a", model).target == states[2].commit
    assert reset(repo, context, "a", "v1").target == states[3].commit
    assert model_of(repo) == repo.objects.commit(states[3].commit).model


def test_a_dry_run_changes_nothing(repo: Repository, context: Context, states: list[HeadState]) -> None:
    result = reset(repo, context, "a", "@{1}", dry_run=True)
    assert (result.commit, result.changed, result.left_behind) == (None, True, (states[3].commit,))
    assert repo.refs.head("a") == states[3]


def test_a_reset_to_where_the_head_is_does_nothing(repo: Repository, context: Context, states: list[HeadState]) -> None:
    assert not reset(repo, context, "a", "a").changed
    reset(repo, context, "a", states[1].commit)
    assert not reset(repo, context, "a", states[1].commit).changed
    assert repo.refs.head("a").number == 5


def test_it_goes_back_to_before_the_first_model(repo: Repository, context: Context, states: list[HeadState]) -> None:
    assert reset(repo, context, "a", "@{3}").model is None
    assert model_of(repo) is None


def test_it_brings_a_removed_task_back(repo: Repository, context: Context, states: list[HeadState]) -> None:
    rm_task(repo, context, "a")
    assert tasks(repo) == ()
    reset(repo, context, "a", "@{1}")
    assert [info.name for info in tasks(repo)] == ["a"]
    assert model_of(repo) == repo.objects.commit(states[3].commit).model


def test_it_can_be_reset_itself(repo: Repository, context: Context, states: list[HeadState]) -> None:
    first = reset(repo, context, "a", "@{2}")
    reset(repo, context, "a", first.before)
    assert model_of(repo) == repo.objects.commit(states[3].commit).model


class TestRefused:
    def test_another_tasks_state(self, repo: Repository, context: Context, states: list[HeadState]) -> None:
        add_sample_task(repo, "b")
        other = evolve_sample(repo, "b", score=0.5)
        for revision in ("b", other.commit):
            with pytest.raises(InvalidInputError, match="a commit of b"):
                reset(repo, context, "a", revision)
        with pytest.raises(InvalidInputError, match="a model of b, not a state of a"):
            reset(repo, context, "a", repo.objects.commit(other.commit).model)
        with pytest.raises(InvalidInputError, match="a model, not a state of a"):
            reset(repo, context, "a", "tiny")

    def test_what_is_no_part_of_the_history(self, repo: Repository, context: Context, states: list[HeadState]) -> None:
        stray = repo.objects.put(replace(repo.objects.commit(states[2].commit), message="stray"))
        with pytest.raises(InvalidInputError, match="not in the history of its head") as error:
            reset(repo, context, "a", stray)
        assert "mu2net merge" in str(error.value.hint)

    @pytest.mark.parametrize("revision", ["@{9}", "~9", "nowhere"])
    def test_what_there_is_not(
        self, repo: Repository, context: Context, states: list[HeadState], revision: str
    ) -> None:
        with pytest.raises(NotFoundError):
            reset(repo, context, "a", revision)

    def test_what_was_purged(self, repo: Repository, context: Context, states: list[HeadState]) -> None:
        lost = states[1].commit
        repo.store.delete(object_key("commit", lost))
        stone = sample_tombstone("a", 4, objects=[f"commit/{lost}"])
        repo.store.create("refs/purged/a/00000001", encode(stone))
        with pytest.raises(NotFoundError, match="was purged, for good"):
            reset(repo, context, "a", "@{2}")

    def test_a_model_whose_components_are_nowhere(
        self, repo: Repository, context: Context, states: list[HeadState]
    ) -> None:
        model = repo.objects.model(repo.objects.commit(states[1].commit).model)
        repo.store.delete(object_key("component", model.component("head").id))
        with pytest.raises(NotFoundError, match=r"Cannot reset a: the component .* \(head\) .* cannot be fetched"):
            reset(repo, context, "a", "@{2}")
        assert repo.refs.head("a") == states[3]


class TestShared:
    def test_it_is_pushed_pulled_and_not_undone(self, ann: Repository, bob: Repository, context: Context) -> None:
        good = model_of(ann)
        evolve_sample(ann, "a", score=0.9)
        push(ann, context)
        pull(bob, context)
        reset(bob, context, "a", "@{1}")
        pull(bob, context)
        assert model_of(bob) == good
        push(bob, context)
        pull(ann, context)
        assert model_of(ann) == good

    def test_work_on_the_model_left_behind_does_not_bring_it_back(
        self, ann: Repository, bob: Repository, context: Context, tmp_path: Path
    ) -> None:
        good = model_of(ann)
        evolve_sample(ann, "a", score=0.9)
        push(ann, context)
        pull(bob, context)
        reset(ann, context, "a", "@{1}")
        push(ann, context)
        evolve_sample(bob, "a", score=0.95, seed=77)
        push(bob, context)
        pull(ann, context)
        clone("shared", "carl", context)
        for working_copy in (ann, bob, open_repository(tmp_path / "carl")):
            assert model_of(working_copy) == good
            assert working_copy.refs.head("a").commit == ann.refs.head("a").commit

    def test_components_come_from_the_remote(self, ann: Repository, context: Context, tmp_path: Path) -> None:
        old = ann.objects.model(model_of(ann))
        evolve_sample(ann, "a", score=0.9)
        push(ann, context)
        clone("shared", "carl", context)
        carl = open_repository(tmp_path / "carl")
        assert not carl.objects.has("component", old.component("head").id)
        reset(carl, context, "a", "~1")
        assert carl.objects.has("component", old.component("head").id)
