"""Heads that different hardware measured nearly alike: whoever joins them measures both again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.publish import move_head
from mu2net_core.api.sharing import rechecking
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.rechecking import MOST_S, Rechecking, could_differ
from mu2net_core.api.tasks.reset import reset
from mu2net_core.errors import DeviceError
from mu2net_core.objects import Commit, Model
from mu2net_core.repo import Repository, load_system
from mu2net_core.testing.building.samples import evolve_sample

BF16 = {"precision": "bfloat16"}
EXAMPLES = 8
"""Of the validation split of a sample task: hardware may take one of them for another."""


def head_of(repo: Repository) -> Commit:
    return load_system(repo).heads["a"].commit


def improve(
    repo: Repository,
    score: float,
    device: str | None = "cpu",
    versions: dict[str, str] | None = None,
    task: str = "a",
) -> str:
    """Improves a task by a model that a device made; returns its id."""

    def made(commit: Commit) -> Commit:
        model = replace(repo.objects.model(str(commit.model)), device_kind=device, versions=versions or {})
        return replace(commit, model=repo.objects.put(model))

    return str(repo.objects.commit(evolve_sample(repo, task, score=score, sign=made).commit).model)


def diverge(ann: Repository, bob: Repository, context: Context, task: str = "a") -> tuple[str, str]:
    """Has a GPU improve a task at ann's, who shares it, and a CPU at bob's, nearly alike; returns the models."""
    gpu = improve(ann, 0.7, "NVIDIA H200", BF16, task)
    push(ann, context)
    return gpu, improve(bob, 0.65, task=task)


@dataclass
class Again:
    """Says which quality models have when they are measured again, and notes who was; any other must not be."""

    qualities: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    takes_s: float = 1.0
    has_data: bool = True

    def __call__(self, **qualities: float) -> None:
        self.qualities = qualities
        self.asked.clear()


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Again:
    found, now = Again(), [0.0]

    def look_up(_repo: Repository, _context: Context, model_id: str, num_examples: int, most_s: float) -> float:
        assert num_examples == EXAMPLES
        assert 0 < most_s <= MOST_S
        found.asked.append(model_id)
        now[0] += found.takes_s
        if not found.has_data:
            raise DeviceError("Where its data lies is not known here.")
        return found.qualities[model_id]

    def clocked(**options: Any) -> Rechecking:
        return Rechecking(**options, clock=lambda: now[0])

    monkeypatch.setattr(rechecking, "measured_apart", look_up)
    for user in ("sharing.exchanges", "evolving.publish"):
        monkeypatch.setattr(f"mu2net_core.api.{user}.Rechecking", clocked)
    return found


@pytest.fixture
def told(context: Context) -> tuple[Context, list[str]]:
    lines: list[str] = []
    return replace(context, warn=lines.append), lines


def test_if_measuring_again_turns_the_order_round_that_is_a_decision_and_the_same_everywhere_afterwards(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, lines = told
    gpu, cpu = diverge(ann, bob, context)
    again(**{gpu: 0.6, cpu: 0.65})
    pull(bob, context)
    joined = head_of(bob)
    assert (joined.model, joined.agent and joined.agent.id, len(joined.parents)) == (cpu, bob.agent_id, 2)
    assert lines == [
        f"a: measuring the model {gpu[:10]} (NVIDIA H200, bfloat16) and the model {cpu[:10]} (cpu, float32) again in "
        "float32 on 8 examples, as what is on both sides differs by less than hardware may; for 120 s at most",
        f"a: measured again in float32, the model {cpu[:10]} (cpu, float32) has 65.00% and the model {gpu[:10]} "
        "(NVIDIA H200, bfloat16) 60.00%: the first is kept, though the second was told to be better.",
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
    gpu, cpu = diverge(ann, bob, context)
    theirs = bob.refs.head("a")
    assert theirs is not None
    ann.objects.put(bob.objects.model(cpu))
    side = ann.objects.put(bob.objects.commit(theirs.commit))
    again.has_data = False
    move_head(ann, context, "a", side)
    assert (head_of(ann).model, head_of(ann).agent) == (gpu, None)
    assert "cannot be measured again here" in lines[1]
    assert "What was told of them counts." in lines[1]
    again.has_data = True
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
    joined = head_of(ann)
    assert (joined.model, joined.agent and joined.agent.id) == (cpu, ann.agent_id)
    assert len(lines) == 2


@pytest.mark.parametrize("now", [0.66, 0.65])
def test_if_the_order_holds_or_both_are_as_good_the_merge_is_as_anybodys(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again, now: float
) -> None:
    context, lines = told
    gpu, cpu = diverge(ann, bob, context)
    again(**{gpu: now, cpu: 0.65})
    pull(bob, context)
    assert (head_of(bob).model, head_of(bob).agent, len(lines)) == (gpu, None, 1)


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
    gpu, _ = diverge(ann, bob, context)
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


# Once for each model, and not for ever


def test_each_model_is_measured_once_in_a_working_copy(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, lines = told
    first = dict.fromkeys(diverge(ann, bob, context), 0.6)
    again(**first)
    pull(bob, context)
    assert sorted(again.asked) == sorted(first)
    number = len(lines)
    tracked = bob.refs.head("a")
    assert tracked is not None
    ours, theirs = bob.objects.commit(tracked.commit).parents
    again()
    assert Rechecking(repo=bob, context=context).decided(ours, theirs) is None
    assert (again.asked, len(lines)) == ([], number)


def test_a_purge_forgets_what_was_measured(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, _ = told
    again(**dict.fromkeys(diverge(ann, bob, context), 0.6))
    pull(bob, context)
    assert (bob.path / "state" / "measured").is_file()
    purge(bob, context, "c")
    assert not (bob.path / "state" / "measured").exists()


def test_all_measurements_of_one_exchange_take_no_longer_than_they_may(
    ann: Repository, bob: Repository, told: tuple[Context, list[str]], again: Again
) -> None:
    context, lines = told
    again(**{model: 0.6 for task in "abc" for model in diverge(ann, bob, context, task)})
    again.takes_s = MOST_S / 3
    pull(bob, context)
    assert len(again.asked) == 3
    assert [line.partition(":")[0] for line in lines if ": measuring " in line] == ["a", "b"]
    assert "for 40 s at most" in lines[1]
    assert "took 120 s, as long as it may. What was told of them counts." in lines[-1]
    assert load_system(bob).heads["c"].commit.agent is None
