"""Heads that different hardware measured nearly alike: whoever joins them measures both again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.publish import move_head
from mu2net_core.api.models import remeasure
from mu2net_core.api.models.remeasure import remeasured
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.rechecking import could_differ
from mu2net_core.api.tasks.reset import reset
from mu2net_core.engine import LoadedModel, Measured, measure
from mu2net_core.objects import Commit, Model
from mu2net_core.repo import Repository, load_system
from mu2net_core.testing.building.samples import evolve_sample

BF16 = {"precision": "bfloat16"}
EXAMPLES = 8
"""Of the validation split of a sample task: hardware may take one of them for another."""

Again = Callable[..., None]


def head_of(repo: Repository) -> Commit:
    return load_system(repo).heads["a"].commit


def improve(repo: Repository, score: float, device: str | None = "cpu", versions: dict[str, str] | None = None) -> str:
    """Improves a by a model that a device made; returns its id."""

    def made(commit: Commit) -> Commit:
        model = replace(repo.objects.model(str(commit.model)), device_kind=device, versions=versions or {})
        return replace(commit, model=repo.objects.put(model))

    return str(repo.objects.commit(evolve_sample(repo, "a", score=score, sign=made).commit).model)


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Again:
    """Returns what decides which quality models have when they are measured again; any other must not be asked for."""

    def make(**qualities: float) -> None:
        def look_up(_repo: Repository, _context: Context, model_id: str, num_examples: int) -> float:
            assert num_examples == EXAMPLES
            return qualities[model_id]

        monkeypatch.setattr(remeasure, "remeasured", look_up)

    return make


@pytest.fixture
def told(context: Context) -> tuple[Context, list[str]]:
    lines: list[str] = []
    return replace(context, warn=lines.append), lines


def test_if_measuring_again_turns_the_order_round_that_is_a_decision_and_the_same_everywhere_afterwards(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, lines = told
    gpu = improve(ann, 0.7, "NVIDIA H200", BF16)
    push(ann, context)
    cpu = improve(bob, 0.65)
    again(**{gpu: 0.6, cpu: 0.65})
    pull(bob, context)
    joined = head_of(bob)
    assert (joined.model, joined.agent and joined.agent.id, len(joined.parents)) == (cpu, bob.agent_id, 2)
    assert lines == [
        f"a: measured again in float32, the model {cpu[:10]} (cpu, float32) has 65.00% and the model {gpu[:10]} "
        "(NVIDIA H200, bfloat16) 60.00%: the first is kept, though the second was told to be better."
    ]
    again()
    push(bob, context)
    pull(ann, context)
    pull(bob, context)
    assert head_of(ann) == head_of(bob) == joined


def test_one_who_knows_nothing_of_a_decision_joins_as_told_and_yields_to_it_later(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, lines = told
    gpu = improve(ann, 0.7, "NVIDIA H200", BF16)
    push(ann, context)
    cpu = improve(bob, 0.65)
    theirs = bob.refs.head("a")
    assert theirs is not None
    ann.objects.put(bob.objects.model(cpu))
    side = ann.objects.put(bob.objects.commit(theirs.commit))
    move_head(ann, context, "a", side)
    assert (head_of(ann).model, head_of(ann).agent) == (gpu, None)
    assert "cannot be measured again here" in lines[0]
    assert "What was told of them counts." in lines[0]
    again(**{gpu: 0.6, cpu: 0.65})
    pull(bob, context)
    push(bob, context)
    pull(ann, context)
    assert head_of(ann) == head_of(bob)
    assert head_of(ann).model == cpu


def test_an_iteration_whose_head_moved_meanwhile_is_joined_in_the_same_way(
    ann: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, lines = told
    before = ann.refs.head("a")
    gpu = improve(ann, 0.7, "NVIDIA H200", BF16)
    assert before is not None
    model = replace(ann.objects.model(gpu), device_kind="cpu", versions={}, quality=0.65, score=0.65)
    cpu = ann.objects.put(model)
    mine = ann.objects.put(replace(head_of(ann), model=cpu, parents=(before.commit,), message="mine"))
    again(**{gpu: 0.6, cpu: 0.65})
    move_head(ann, context, "a", mine)
    assert (head_of(ann).model, head_of(ann).agent and ann.agent_id) == (cpu, ann.agent_id)
    assert len(lines) == 1


@pytest.mark.parametrize("now", [0.66, 0.65])
def test_if_the_order_holds_or_both_are_as_good_the_merge_is_as_anybodys(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again, now: float
) -> None:
    context, lines = told
    gpu = improve(ann, 0.7, "NVIDIA H200", BF16)
    push(ann, context)
    again(**{gpu: now, improve(bob, 0.65): 0.65})
    pull(bob, context)
    assert (head_of(bob).model, head_of(bob).agent, lines) == (gpu, None, [])


@pytest.mark.parametrize(
    ("score", "made"),
    [
        (0.7, {"device": "cpu"}),
        (0.7, {"device": None}),
        (0.9, {"device": "NVIDIA H200", "versions": BF16}),
    ],
    ids=["the same hardware", "nobody told", "further apart"],
)
def test_what_hardware_cannot_explain_is_not_measured_again(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again, score: float, made: dict[str, Any]
) -> None:
    context, lines = told
    model = improve(ann, score, **made)
    push(ann, context)
    improve(bob, 0.65)
    again()
    pull(bob, context)
    assert (head_of(bob).model, head_of(bob).agent, lines) == (model, None, [])


def test_what_a_reset_left_behind_is_not_brought_back_by_measuring_it_again(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, _ = told
    improve(bob, 0.7, "NVIDIA H200", BF16)
    push(bob, context)
    pull(ann, context)
    improve(bob, 0.72, "NVIDIA H200", BF16)
    push(bob, context)
    reset(ann, context, "a", "a~1")
    kept = head_of(ann).model
    again()
    pull(ann, context)
    assert head_of(ann).model == kept


def test_somebodys_own_choice_is_not_questioned(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, lines = told
    gpu = improve(ann, 0.7, "NVIDIA H200", BF16)
    push(ann, context)
    improve(bob, 0.65)
    again()
    pull(bob, context, on_conflict="theirs")
    merge(bob, context)
    assert (head_of(bob).model, lines) == (gpu, [])


@pytest.mark.parametrize(
    ("hardware", "num_examples", "expected"),
    [
        ({"device_kind": "cpu"}, 1000, 0.0),
        ({"device_kind": None}, 1000, 0.0),
        ({"device_kind": "gpu"}, 1000, 0.001),
        ({"device_kind": "gpu"}, 1001, 2 / 1001),
        ({"device_kind": "gpu"}, 8, 1 / 8),
        ({"device_kind": "cpu", "versions": {"layout": "4 x 1 devices"}}, 1000, 0.001),
        ({"device_kind": "cpu", "versions": BF16}, 1000, 0.01),
    ],
)
def test_by_how_much_hardware_may_differ(
    ann: Repository, hardware: dict[str, Any], num_examples: int, expected: float
) -> None:
    model: Model = ann.objects.model(str(head_of(ann).model))
    assert could_differ(model, replace(model, **hardware), num_examples) == expected


def test_a_model_of_bfloat16_is_measured_in_float32(grown, monkeypatch: pytest.MonkeyPatch) -> None:
    precisions = list[str]()

    def spied(model: LoadedModel, *args: Any, **options: Any) -> Measured:
        precisions.append(model.programs.precision)
        return measure(model, *args, **options)

    monkeypatch.setattr(remeasure, "measure", spied)
    repo = grown.open()
    model = repo.objects.model(str(load_system(repo).heads["digits"].model_id))
    assert model.validation_examples is not None
    assert model.hardware == ("cpu", "float32", "")
    told = repo.objects.put(replace(model, versions={**model.versions, **BF16}))
    assert remeasured(repo, grown.context, told, model.validation_examples) == model.quality
    assert precisions == ["float32"]
