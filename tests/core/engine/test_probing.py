"""Probes of what candidates' layers make of a new task's examples, and when there are any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from mu2net_core.engine import probing as probing_of
from mu2net_core.engine.drafting import Draft, draft_all
from mu2net_core.engine.iteration import IterationState
from mu2net_core.engine.probing import linear_probe, probed
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.workshop import Workshop
from mu2net_core.events import CandidatesProbed, GenerationStarted
from mu2net_core.nn import LayerSpec
from mu2net_core.objects import Labels, System, decode, encode
from mu2net_core.search import Member, Population
from mu2net_core.search.mutations import as_it_is
from mu2net_core.seeds import derive_seed
from mu2net_core.testing.building.iterating import Watch, begin, run
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench


def probing(bench: Workbench, probes: int = 8) -> Workshop:
    return bench.workshop("a", preset=replace(BENCH_PRESET, training=replace(BENCH_PRESET.training, probes=probes)))


def accuracy_left_out(features: np.ndarray, labels: np.ndarray) -> float:
    """Returns how often a ridge regression on all other examples says an example's label, of three; one by one."""
    x, count = features - features.mean(axis=0), len(labels)
    penalty = 1e-2 * np.trace(x.T @ x) / x.shape[1] * np.eye(x.shape[1])
    targets, right = np.eye(3)[labels] - 1 / 3, 0
    for left in range(count):
        others = np.arange(count) != left
        weights = np.linalg.solve(x[others].T @ x[others] + penalty, x[others].T @ targets[others])
        right += int((x[left] @ weights).argmax() == labels[left])
    return right / count


@pytest.mark.parametrize("width", [5, 40, 70])  # the more features, the more the penalty decides
@pytest.mark.parametrize("size", [1.0, 1e-3])
def test_a_linear_probe_counts_whom_a_model_of_all_others_gives_its_label(width: int, size: float) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    for _ in range(5):
        features = size * (rng.normal(size=(60, width)) + 1.2 * np.eye(width)[labels])
        expected = accuracy_left_out(features, labels)
        assert linear_probe(features, labels, 3) == pytest.approx(expected)
        assert 1 / 3 < expected < 1


def test_a_linear_probe_of_features_that_are_all_the_same_tells_nothing() -> None:
    assert linear_probe(np.ones((60, 5)), np.arange(60) % 3, 3) <= 0.5


@pytest.fixture
def joined(bench: Workbench):
    """Returns a system of a root and another task's model, that a task without a model joins."""
    root = bench.root()
    state = state_of(SystemBuilder().root(root).task("b").build(), "b")
    (member, *_) = run(bench, SystemBuilder().root(root).task("b").build(), state).population.members
    other = replace(member, model=replace(member.model, test_quality=0.5))
    return root, other, SystemBuilder().root(root).task("a").task("b", other).build()


def state_of(system, task: str = "a") -> IterationState:
    return begin(system, task=task, generations=2, children=2)


def test_candidates_are_probed_once_before_the_first_generation_of_a_task_without_a_model(
    bench: Workbench, joined
) -> None:
    root, other, system = joined
    events = (watch := Watch()).events
    state = run(bench, system, state_of(system), watch, shop=probing(bench))
    (told,) = (event for event in events if isinstance(event, CandidatesProbed))
    assert events.index(told) < next(i for i, event in enumerate(events) if isinstance(event, GenerationStarted))
    assert {probe.model: probe.task for probe in told.found} == {root.id: None, other.id: "b"}
    assert {probe.model: probe.accuracy for probe in told.found} == state.population.probed
    assert all(0 <= accuracy <= 1 for accuracy in state.population.probed.values())
    grown = SystemBuilder().root(root).task("a").task("b", other).build()
    assert run(bench, grown, state_of(grown), shop=probing(bench, probes=0)).population.probed == {}
    later = run(bench, system, state_of(system, "b"), shop=probing(bench))  # which has a model
    assert later.population.probed == {}


def test_the_same_seed_finds_the_same_and_what_goes_on_after_a_crash_ends_the_same(
    bench: Workbench, joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mu2net_core.engine.probing.MOST_EXAMPLES", 20)  # of 48: which ones, the seed says
    _, _, system = joined
    watch = Watch()
    whole = run(bench, system, state_of(system), watch, shop=probing(bench))
    again = run(bench, system, state_of(system), shop=probing(bench))
    assert again == whole
    kept = decode(encode(watch.saved[0]), IterationState, what="the state")
    assert kept.population.probed == whole.population.probed != {}
    assert run(bench, system, kept, shop=probing(bench)) == whole


def test_a_probe_sees_what_a_child_would_stand_on(bench: Workbench, joined) -> None:
    root, other, system = joined
    found = probed(probing(bench), Population(task="a"), system, seed=3)
    assert set(found) == {root.id, other.id}
    assert found[other.id] > 0.34  # three classes, and layers that have learned them from other images


def draft_of(shop: Workshop, member: Member, system: System) -> Draft:
    (draft,) = draft_all(shop, (as_it_is(member, shop.space, 3),), Population(task="a"), system)
    return draft


def test_what_is_probed_is_what_the_layers_below_the_head_make_of_the_examples(bench: Workbench, joined) -> None:
    _, other, system = joined
    shop = probing(bench)
    draft = draft_of(shop, other, system)
    features, labels = probing_of._features(shop, draft, 3)
    (examples,) = shop.data.at(draft.input_spec).train.shuffled(48, chunk=48, seed=derive_seed(3, "probe"))
    specs = [layer.spec for layer in draft.blueprint.layers]
    params = [bench.components[layer.source.id].params for layer in draft.blueprint.layers[:-1] if layer.source]
    plain = bench.programs.family.apply(specs[:-1], params, examples.inputs, above=specs[-1:])
    np.testing.assert_allclose(features, np.asarray(plain), rtol=1e-4, atol=1e-5)
    assert np.array_equal(labels, examples.labels)


def test_of_many_examples_some_are_looked_at_which_ones_the_seed_says(
    bench: Workbench, joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing_of, "MOST_EXAMPLES", 20)
    _, other, system = joined
    shop = probing(bench)
    draft = draft_of(shop, other, system)
    found = [probing_of._features(shop, draft, seed)[0] for seed in (3, 3, 4)]
    assert [len(features) for features in found] == [20, 20, 20]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_each_candidate_is_told_apart_by_the_examples_that_the_seed_says(
    bench: Workbench, joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing_of, "MOST_EXAMPLES", 20)
    _, other, system = joined
    shop = probing(bench)
    expected = [linear_probe(*probing_of._features(shop, draft_of(shop, other, system), seed), 3) for seed in range(6)]
    assert [probed(shop, Population(task="a"), system, seed=seed)[other.id] for seed in range(6)] == expected
    assert len(set(expected)) > 1


def test_no_more_are_probed_than_was_said_and_which_ones_the_seed_says(bench: Workbench, joined) -> None:
    root, other, system = joined
    chosen = [tuple(probed(probing(bench, probes=1), Population(task="a"), system, seed=seed)) for seed in range(8)]
    assert set(chosen) == {(root.id,), (other.id,)}
    twice = [tuple(probed(probing(bench, probes=1), Population(task="a"), system, seed=seed)) for seed in range(8)]
    assert twice == chosen


@pytest.mark.parametrize(("readers", "is_probed"), [(("b",), False), (("a", "b"), True)], ids=str)
def test_only_models_that_the_task_may_use_are_probed(
    bench: Workbench, joined, readers: tuple[str, ...], *, is_probed: bool
) -> None:
    root, other, _ = joined
    system = SystemBuilder().root(root).task("a", readers=("a",)).task("b", other, readers=readers).build()
    found = probed(probing(bench), Population(task="a"), system, seed=3)
    assert set(found) == ({root.id, other.id} if is_probed else {root.id})


def test_layers_below_the_head_are_computed_as_the_head_takes_them(
    bench: Workbench, joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, other, system = joined
    shop, above = probing(bench), list[tuple[LayerSpec, ...]]()
    draft, made = draft_of(shop, other, system), Programs.activations

    def activations(programs: Programs, *given: Any, **others: Any) -> jax.Array:
        above.append(others["above"])
        return made(programs, *given, **others)

    monkeypatch.setattr(Programs, "activations", activations)
    probing_of._features(shop, draft, 3)
    assert set(above) == {tuple(layer.spec for layer in draft.blueprint.layers[-1:])}


def test_a_task_that_tells_no_classes_apart_probes_nobody(bench: Workbench, joined) -> None:
    _, _, system = joined
    shop = probing(bench)
    labels = replace(shop, task=replace(shop.task, output=Labels(names=shop.task.output.labels), metric="map"))
    assert probed(shop, Population(task="a"), system, seed=3)
    assert probed(labels, Population(task="a"), system, seed=3) == {}
