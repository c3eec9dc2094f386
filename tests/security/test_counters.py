"""Numbers that count up: nobody can put them where others cannot go on from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.publish import publish
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.signing.signing import committer
from mu2net_core.engine.child import Trained
from mu2net_core.engine.storing import _trained_more
from mu2net_core.errors import InternalError
from mu2net_core.objects import LARGEST_COUNT, Commit, Label, Run, Training
from mu2net_core.repo import Repository
from mu2net_core.repo.core.database import Manifest
from mu2net_core.repo.history.merging import merge
from mu2net_core.repo.history.plausibility import Arrivals, check
from mu2net_core.search import Member, Population, SearchState
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import commit_of, model_of

RUN = Run(preset="vit-ti0", digest="0" * 64, seed=1, generations=1, children=1, done=1, processor="any", cores=2)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    made = sample_repository(tmp_path / "ann")
    add_sample_task(made, "digits")
    evolve_sample(made, "digits", score=0.5)
    return made


def unreadable(repo: Repository, name: str) -> Manifest:
    """Returns a manifest that is like one of ``repo``, but for a count that no reader takes."""
    commit = repo.objects.commit(commit_of(repo, "digits"))
    model = repo.objects.model(model_of(repo, "digits"))
    many = {"digits": Training(steps=2**54, examples=1)}
    values: dict[str, Manifest] = {
        "an iteration": replace(commit, iteration=2**53 + 1),
        "a selection": replace(commit, selections={commit.model or "": {"e" * 32: 2**53 + 1}}),
        "a time": replace(commit, finished_at="2026-99-99T00:00:00.000000+00:00"),
        "training": replace(model, components=(replace(model.components[0], training=many), *model.components[1:])),
    }
    return values[name]


@pytest.mark.parametrize("name", ["an iteration", "a selection", "a time", "training"])
def test_what_could_not_be_read_again_is_never_stored(repo: Repository, name: str) -> None:
    before = sorted(repo.store.list("objects"))
    with pytest.raises(InternalError, match="was not stored, for it could not be read again"):
        repo.objects.put(unreadable(repo, name))
    assert sorted(repo.store.list("objects")) == before


def poisoned(repo: Repository) -> Commit:
    """Moves the head to a commit whose counts are as high as ever arrive; returns it."""
    state = repo.refs.head("digits")
    assert state is not None
    commit = repo.objects.commit(state.commit)
    selections = {commit.model or "": {f"{repo.agent_id}/0": LARGEST_COUNT}}
    high = replace(commit, parents=(state.commit,), iteration=LARGEST_COUNT, selections=selections, message="evil")
    repo.refs.append("digits", repo.objects.put(high), after=state)
    return high


def test_an_iteration_on_counts_that_are_at_their_highest_is_published_and_plausible(
    repo: Repository, context: Context
) -> None:
    high = poisoned(repo)
    model_id = high.model or ""
    member = Member(id=model_id, model=repo.objects.model(model_id))
    search = SearchState(population=Population(task="digits", members=(member,), selections={model_id: 7}))
    state = begun_at(repo, "digits", iteration=LARGEST_COUNT, search=search)
    commit_id = publish(
        repo, context, Workspace.of(repo, "digits"), state, member, 0.5, RUN, agent=committer(repo, context)
    ).commit_id
    mine = repo.objects.commit(commit_id)
    assert mine.selections[model_id][f"{repo.agent_id}/0"] == LARGEST_COUNT
    check(mine, repo.objects, Arrivals(identity=repo.identity))


def test_training_on_counts_that_are_at_their_highest_stays_there(repo: Repository) -> None:
    trained = Trained(
        params=(), opt_state=(), curve=(0.5,), best_cycle=0, steps=10, examples=80, all_examples=80, finite=True
    )
    ref = repo.objects.model(model_of(repo, "digits")).components[-1]
    high = Training(steps=LARGEST_COUNT, examples=LARGEST_COUNT - 1)
    more = _trained_more(replace(ref, training={"digits": high}), Label(), "digits", trained)
    assert more == {"digits": Training(steps=LARGEST_COUNT, examples=LARGEST_COUNT)}


def test_joining_counts_that_are_at_their_highest_stays_there(repo: Repository) -> None:
    high = poisoned(repo)
    base = commit_of(repo, "digits")
    sides = [repo.objects.put(replace(high, parents=(base,), message=message)) for message in ("one", "other")]
    _, joined = merge(repo.objects, sides)
    assert joined.iteration == LARGEST_COUNT
    check(joined, repo.objects, Arrivals(identity=repo.identity))
