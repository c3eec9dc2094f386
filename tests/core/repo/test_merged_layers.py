"""Models with layers that were merged: what they came from is needed, kept, sent, purged and judged like a parent."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import AccessRule, Agent, Merge, Model, Training
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange import Policy, adopt, fetch
from mu2net_core.repo.exchange.head_moves import relied_on
from mu2net_core.repo.exchange.push_plan import Plan
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.history.plausibility import Arrivals, check
from mu2net_core.repo.remotes import connect, read_tracking
from mu2net_core.repo.remotes.closure import Closure, load_manifest, needs, walk
from mu2net_core.repo.upkeep.gc import collect
from mu2net_core.repo.upkeep.place import here
from mu2net_core.repo.upkeep.purging import bury, store_purge_commit
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, model_of, outcomes, there, working_copy


def merged_in(repo: Repository, *, private: bool = False) -> Repository:
    """Adds task ``mine``, whose embedding was merged with that of ``theirs``, two of whose models are not heads."""
    add_sample_task(repo, "theirs", AccessRule.only(["theirs"]) if private else AccessRule())
    for score in (0.3, 0.4):
        evolve_sample(repo, "theirs", score=score, trains=("embedding", "head"))
    donor = model_of(repo, "theirs")
    evolve_sample(repo, "theirs", score=0.5, parent=root_of(repo))
    add_sample_task(repo, "mine")
    evolve_sample(repo, "mine", score=0.5, trains=("embedding", "head"), merges={"embedding": donor})
    return repo


def root_of(repo: Repository) -> str:
    return next(iter(repo.refs.roots().values()))


def model(repo: Repository) -> Model:
    return repo.objects.model(model_of(repo, "mine"))


def donor_of(repo: Repository) -> str:
    merges = model(repo).merges
    assert merges is not None
    return merges["embedding"].model


@pytest.fixture
def two(repo: Repository) -> Repository:
    return merged_in(repo)


def problems(repo: Repository) -> set[tuple[str, str]]:
    return {(problem.kind, problem.object) for problem in fsck(open_repository(repo.path)).problems}


def test_a_model_needs_what_its_layers_were_merged_with_before_it(two: Repository) -> None:
    found = model(two)
    assert found.sources == (found.parent, donor_of(two))
    assert ("model", donor_of(two)) in needs(found)
    order = [node for node, _ in walk([("model", model_of(two, "mine"))], lambda n: load_manifest(two.objects, n), _no)]
    assert order.index(("model", donor_of(two))) < order.index(("model", model_of(two, "mine")))
    assert donor_of(two) in load_system(two).ancestors


def _no(_node: object) -> bool:
    return False


def test_what_nobody_else_needs_any_more_stays_and_where_it_is_lost_that_is_found(two: Repository) -> None:
    for key in list(two.store.list("refs/heads/theirs")):
        two.store.delete(key)
    for file in two.path.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - 86400 * 30,) * 2)
    aged = open_repository(two.worktree)
    assert collect(here(aged), dry_run=False).num_objects > 0
    assert aged.objects.has("model", donor_of(aged))
    assert {oid for kind, oid in problems(aged) if kind == "missing-object"} == set()
    oid = donor_of(aged)
    aged.store.delete(f"objects/model/{oid[:2]}/{oid[2:]}.json")
    assert ("missing-object", f"model/{oid}") in problems(aged)


def test_a_push_takes_it_along_and_a_clone_has_it(two: Repository, tmp_path: Path) -> None:
    remote = Remote(name="origin", url=str(tmp_path / "shared"))
    assert set(outcomes(push(two, remote, tasks=("mine",)))) >= {"mine"}
    shared = there(remote)
    assert shared.objects.has("model", donor_of(two))
    assert problems(shared) == set()
    copy = clone_of(remote, tmp_path / "copy")
    assert copy.objects.model(model_of(copy, "mine")).merges == model(two).merges
    assert copy.refs.head("theirs") is not None  # who may read what it taught can be judged
    assert problems(copy) == set()


def test_what_is_sent_relies_on_what_its_layers_were_merged_with(two: Repository) -> None:
    node = ("model", model_of(two, "mine"))
    closure = Closure(manifests=((node, model(two)),), components=())
    plan = Plan(task="mine", commit=commit_of(two, "mine"), after=None, closure=closure)
    assert relied_on([plan]) == {("model", source) for source in model(two).sources}


def test_a_task_that_taught_only_the_rest_of_the_second_sources_model_is_made_known_too(
    repo: Repository, tmp_path: Path
) -> None:
    add_sample_task(repo, "third")
    evolve_sample(repo, "third", score=0.5, trains=("encoderblock_0",))
    add_sample_task(repo, "theirs")
    evolve_sample(repo, "theirs", score=0.5, parent=model_of(repo, "third"), trains=("embedding",))
    add_sample_task(repo, "mine")
    evolve_sample(repo, "mine", score=0.5, trains=("embedding",), merges={"embedding": model_of(repo, "theirs")})
    assert model(repo).trained_by == {"mine", "theirs"}
    remote = Remote(name="origin", url=str(tmp_path / "shared"))
    push(repo, remote)
    copy = working_copy(tmp_path / "copy", remote)
    fetch(copy, connect(remote))
    adopt(copy, read_tracking(copy.state, remote), ["mine"], Policy())
    assert set(copy.refs.tasks()) == {"mine", "theirs", "third"}


def test_a_purge_leaves_what_another_tasks_layer_was_merged_with_and_its_rule_goes_on(repo: Repository) -> None:
    two = merged_in(repo)
    donor = donor_of(two)
    now = "2026-02-01T00:00:00.000000+00:00"
    agent = Agent(id="0" * 32, host="test", device="none")
    report = bury(here(two), "theirs", partial(store_purge_commit, here(two), agent=agent, now=now), now=now)
    assert report.holders == ("mine",)
    after = open_repository(two.path)
    assert after.objects.has("model", donor)
    assert problems(after) == set()


def test_what_a_private_task_taught_goes_nowhere_and_is_found_where_it_should_not_be(
    repo: Repository, tmp_path: Path
) -> None:
    leaky = merged_in(repo, private=True)  # no engine would
    assert problems(leaky) == {("access", f"model/{model_of(leaky, 'mine')}")}
    (ref, *_) = model(leaky).components
    label = leaky.objects.label(ref.id)
    assert label is not None
    assert (label.trained_by, label.readers) == (("mine", "theirs"), ("theirs",))
    result = push(leaky, Remote(name="origin", url=str(tmp_path / "shared")))
    assert outcomes(result)["mine"] == "skipped"
    assert not list((tmp_path / "shared").rglob(f"*{ref.id[2:]}*"))


@pytest.mark.parametrize("kept", ["mine", "theirs"])
def test_a_model_that_hides_who_taught_either_source_is_found_and_not_taken_over(two: Repository, kept: str) -> None:
    found = model(two)
    (ref, *others) = found.components
    hidden = replace(found, components=(replace(ref, training={kept: ref.training[kept]}), *others))
    state = two.refs.head("mine")
    assert state is not None
    commit = replace(two.objects.commit(state.commit), model=two.objects.put(hidden), parents=(state.commit,))
    two.refs.append("mine", two.objects.put(commit), after=state)
    expected = {("forged", f"model/{model_of(two, 'mine')}")}
    if kept == "mine":
        expected |= {("access", f"model/{model_of(two, 'mine')}")}
    assert problems(two) >= expected
    with pytest.raises(CorruptObjectError, match="it hides that data of"):
        check(hidden, two.objects, Arrivals(identity=SAMPLE_IDENTITY))


def test_one_that_tells_of_fewer_steps_than_its_second_source_is_found(two: Repository) -> None:
    found = model(two)
    (ref, *others) = found.components
    fewer = {**ref.training, "theirs": Training(steps=1, examples=1)}
    state = two.refs.head("mine")
    assert state is not None
    less = replace(found, components=(replace(ref, training=fewer), *others))
    commit = replace(two.objects.commit(state.commit), model=two.objects.put(less), parents=(state.commit,))
    two.refs.append("mine", two.objects.put(commit), after=state)
    assert problems(two) == {("access", f"model/{model_of(two, 'mine')}")}


def test_one_whose_second_source_has_no_such_layer_is_not_taken_over(two: Repository) -> None:
    found, donor = model(two), two.objects.model(donor_of(two))
    without = two.objects.put(replace(donor, components=donor.components[1:]))
    assert found.merges is not None
    forged = replace(found, merges={"embedding": replace(found.merges["embedding"], model=without)})
    with pytest.raises(CorruptObjectError, match=r"its embedding was merged with a layer that .* does not have"):
        check(forged, two.objects, Arrivals(identity=SAMPLE_IDENTITY))


@pytest.mark.parametrize("which", ["component", "model"])
def test_one_that_names_a_second_source_which_is_none_is_not_taken_over(two: Repository, which: str) -> None:
    found, objects = model(two), two.objects
    check(found, objects, Arrivals(identity=SAMPLE_IDENTITY))
    assert found.merges is not None
    changed = {"component": "0" * 64} if which == "component" else {"model": model_of(two, "theirs")}
    forged = replace(found, merges={"embedding": replace(found.merges["embedding"], **changed)})
    with pytest.raises(CorruptObjectError, match=r"its embedding was merged with a layer that .* does not have"):
        check(forged, objects, Arrivals(identity=SAMPLE_IDENTITY))


def test_one_that_was_taken_over_may_have_stood_elsewhere_in_the_model_it_is_from(two: Repository) -> None:
    found, donor = model(two), two.objects.model(donor_of(two))
    ref, *others = found.components
    for taken, fits in ((donor.components[1].id, True), ("0" * 64, False)):
        crossed = replace(ref, operation="cross", parent=taken)
        merge = Merge(component=taken, model=donor_of(two), weight=1.0)
        one = replace(found, components=(crossed, *others), merges={ref.name: merge})
        with nullcontext() if fits else pytest.raises(CorruptObjectError, match=r"with a layer that .* does not have"):
            check(one, two.objects, Arrivals(identity=SAMPLE_IDENTITY))


def test_models_without_merged_layers_have_the_bytes_that_they_always_had(two: Repository) -> None:
    assert b"merges" not in two.objects.read("model", donor_of(two))
    assert b'"merges":{"embedding":{"component":"' in two.objects.read("model", model_of(two, "mine"))
    assert isinstance(model(two).merges["embedding"], Merge)  # type: ignore[index]


def test_a_working_copy_that_shares_nothing_else_is_whole(tmp_path: Path) -> None:
    assert problems(merged_in(sample_repository(tmp_path / "work"))) == set()
