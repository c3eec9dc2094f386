from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.publish import move_head, publish
from mu2net_core.api.iterations.leftover import is_published, left_behind
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.signing.signing import committer
from mu2net_core.api.tasks.reset import reset
from mu2net_core.engine.iteration import IterationState
from mu2net_core.errors import ConflictError
from mu2net_core.objects import AccessRule, Classes, Run, Scorer, encode, object_key
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.history.merging import ancestry
from mu2net_core.scoring import score
from mu2net_core.search import Member, Population, SearchState
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_tombstone
from mu2net_core.testing.worlds.sharing import model_of

AT = "2026-01-02T03:04:05.000000+00:00"
RUN = Run(preset="vit-ti0", digest="0" * 64, seed=1, generations=1, children=1, done=1, processor="any", cores=2)


@pytest.fixture
def base(repo: Repository) -> HeadState:
    """Returns a head with one model."""
    add_sample_task(repo, "a")
    return evolve_sample(repo, "a", score=0.5)


def next_commit(repo: Repository, base: HeadState, **changed: object) -> str:
    """Stores a commit that follows ``base`` and moves no head."""
    before = repo.objects.commit(base.commit)
    following = replace(before, parents=(base.commit,), iteration=before.iteration + 1, message="mine")
    return repo.objects.put(replace(following, **changed))


def test_a_head_that_did_not_move_moves_to_the_commit_itself(
    repo: Repository, base: HeadState, context: Context
) -> None:
    mine = next_commit(repo, base)
    assert move_head(repo, context, "a", mine) == mine
    assert repo.refs.head("a").number == base.number + 1


def test_moving_to_a_commit_again_joins_nothing(repo: Repository, base: HeadState, context: Context) -> None:
    mine = next_commit(repo, base)
    move_head(repo, context, "a", mine)
    assert move_head(repo, context, "a", mine) == mine


@pytest.mark.parametrize("times", [1, 3])
def test_who_comes_between_reading_and_writing_is_joined(
    repo: Repository, base: HeadState, context: Context, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    mine, others = next_commit(repo, base), []
    real = Refs.append

    def overtaken(self, task, commit_id, *, after):
        if len(others) < times:
            others.append(commit_id)  # so that the samples below get through
            monkeypatch.setattr(Refs, "append", real)
            others[-1] = evolve_sample(repo, "a", score=0.5 + len(others) / 10).commit
            monkeypatch.setattr(Refs, "append", overtaken)
        return real(self, task, commit_id, after=after)

    monkeypatch.setattr(Refs, "append", overtaken)
    head = move_head(repo, context, "a", mine)
    assert repo.refs.head("a").commit == head
    assert {mine, base.commit, *others} <= set(ancestry(repo.objects, [head]))
    assert repo.objects.commit(head).model == repo.objects.commit(others[-1]).model


def defined_anew(repo: Repository, base: HeadState) -> str:
    """Moves the head to another definition of the task, and returns the commit."""
    task = repo.objects.task(repo.objects.commit(base.commit).task_id)
    other = repo.objects.put(replace(task, output=Classes(names=("x", "y"))))
    theirs = next_commit(repo, base, task_id=other, message="theirs")
    return repo.refs.append("a", theirs, after=base).commit


def test_what_was_finished_under_another_definition_of_the_task_is_kept_in_the_history(
    repo: Repository, base: HeadState, context: Context
) -> None:
    warnings: list[str] = []
    theirs, mine = defined_anew(repo, base), next_commit(repo, base)
    move_head(repo, replace(context, warn=warnings.append), "a", mine)
    head = repo.objects.commit(repo.refs.head("a").commit)
    assert head.parents == (theirs, mine)
    assert (head.model, head.task_id) == (repo.objects.commit(theirs).model, repo.objects.commit(theirs).task_id)
    assert f"mu2net reset a {mine[:10]}" in warnings[0]
    reset(repo, context, "a", mine[:10])
    assert repo.objects.commit(repo.refs.head("a").commit).task_id == repo.objects.commit(mine).task_id


def test_what_was_finished_under_another_scorer_is_scored_again(
    repo: Repository, base: HeadState, context: Context
) -> None:
    other = repo.objects.model(repo.objects.commit(base.commit).model)
    scorer = Scorer(factor=0.5, params_scale=10)
    costly = replace(other, scorer=scorer, score=score(other.quality, other.costs, scorer), quality=1.0)
    theirs = next_commit(repo, base, model=repo.objects.put(costly), finished_at="2026-01-02T00:00:00.000000+00:00")
    repo.refs.append("a", theirs, after=base)
    mine = next_commit(repo, base)
    head = repo.objects.commit(move_head(repo, context, "a", mine))
    assert set(head.parents) == {theirs, mine}
    assert head.model == repo.objects.commit(theirs).model


def test_what_was_finished_on_a_model_that_a_reset_left_behind_does_not_bring_it_back(
    repo: Repository, base: HeadState, context: Context
) -> None:
    bad = evolve_sample(repo, "a", score=0.9)
    mine = next_commit(repo, bad)
    reset(repo, context, "a", base.commit)
    warnings: list[str] = []
    head = repo.objects.commit(move_head(repo, replace(context, warn=warnings.append), "a", mine))
    assert head.model == repo.objects.commit(base.commit).model
    assert mine in head.parents
    (warning,) = warnings
    assert "it was reset to an earlier state" in warning
    assert f"mu2net reset a {mine[:10]}" in warning


class TestPurgedMeanwhile:
    def test_what_was_trained_is_dropped(self, repo: Repository, base: HeadState, context: Context) -> None:
        state = state_of(repo, base, "2026-02-01T00:00:00.000000+00:00")
        stone = sample_tombstone("a", 2, objects=[f"commit/{base.commit}"])
        repo.store.create("refs/purged/a/00000001", encode(stone))
        workspace = Workspace.of(repo, "a")
        workspace.save(state)
        winner = Member(id="0" * 64, model=repo.objects.model(repo.objects.commit(base.commit).model))
        with pytest.raises(ConflictError, match="a was purged while it evolved"):
            publish(repo, context, workspace, state, winner, 0.5, RUN, agent=committer(repo, context))
        assert workspace.load() is None
        assert repo.refs.head("a") == base

    def test_it_is_not_resumed(self, repo: Repository, base: HeadState) -> None:
        repo.store.delete(object_key("commit", base.commit))
        assert left_behind(repo, base.commit, base.commit) == "what it began from was purged"


def test_an_iteration_is_not_resumed_after_a_reset(repo: Repository, base: HeadState, context: Context) -> None:
    later = evolve_sample(repo, "a", score=0.6)
    assert left_behind(repo, base.commit, later.commit) is None
    done = reset(repo, context, "a", base.commit).commit
    assert left_behind(repo, later.commit, done) == "the task was reset since"
    assert left_behind(repo, done, evolve_sample(repo, "a", score=0.7).commit) is None


def state_of(repo: Repository, base: HeadState, started_at: str) -> IterationState:
    return begun_at(repo, "a", base=base.commit, started_at=started_at)


def test_an_iteration_is_published_once_its_commit_is_in_the_heads_history(
    repo: Repository, base: HeadState, context: Context
) -> None:
    state = state_of(repo, base, "2026-02-01T00:00:00.000000+00:00")
    assert not is_published(repo, state)
    mine = next_commit(repo, base, started_at=state.started_at)
    assert not is_published(repo, state)
    move_head(repo, context, "a", mine)
    assert is_published(repo, state)
    evolve_sample(repo, "a", score=0.9)
    assert is_published(repo, state)


def test_what_another_working_copy_or_another_time_published_is_not_it(
    repo: Repository, base: HeadState, context: Context
) -> None:
    state = state_of(repo, base, "2026-02-01T00:00:00.000000+00:00")
    agent = repo.objects.commit(base.commit).agent
    theirs = next_commit(repo, base, started_at=state.started_at, agent=replace(agent, id="f" * 32))
    move_head(repo, context, "a", theirs)
    evolve_sample(repo, "a", score=0.9)
    assert not is_published(repo, state)


def test_a_commit_counts_selections_only_of_models_that_all_of_its_readers_may_see(
    repo: Repository, context: Context
) -> None:
    """The task may use what one of its groups learned; to the other group the ids of that are not told."""
    rules = {"a": AccessRule.only(["blue", "red"]), "for-red": AccessRule.only(["red"]), "open": AccessRule()}
    for seed, (task, rule) in enumerate(rules.items()):
        add_sample_task(repo, task, rule)
        evolve_sample(repo, task, score=0.5, seed=seed)
    base, root = repo.refs.head("a"), repo.refs.roots()["tiny"]
    models = {task: model_of(repo, task) for task in rules}
    before = replace(repo.objects.commit(base.commit), parents=(base.commit,), selections={models["for-red"]: {"x": 3}})
    base = repo.refs.append("a", repo.objects.put(before), after=base)
    state = state_of(repo, base, "2026-02-01T00:00:00.000000+00:00")
    population = Population(task="a", selections={**dict.fromkeys(models.values(), 1), root: 1})
    state = replace(state, snapshot=before.snapshot, search=SearchState(population=population))
    winner = Member(id=models["a"], model=replace(repo.objects.model(models["a"]), test_quality=0.5))
    published = publish(repo, context, Workspace.of(repo, "a"), state, winner, 0.5, RUN, agent=committer(repo, context))
    assert set(repo.objects.commit(published.commit_id).selections) == {models["a"], models["open"], root}
