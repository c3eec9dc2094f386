"""The objectives that ship: the contract, and what scikit-learn makes of the same examples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from mu2net_core.errors import NewerError, PluginError
from mu2net_core.objectives import (
    OBJECTIVES,
    Auroc,
    BalancedAccuracy,
    Classify,
    MacroF1,
    MeanAveragePrecision,
    MeanError,
    Multilabel,
    Regress,
    objective_of,
)
from mu2net_core.objects import Classes, Labels, Number, Other
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.building.samples import sample_task
from mu2net_core.testing.conformance.objectives import ObjectiveCase, ObjectiveTests

N, C = 40, 4
RNG = np.random.default_rng(5)
LOGITS = RNG.normal(size=(N, C)).astype(np.float32)
LABELS = RNG.integers(0, C, N).astype(np.int32)
ONE_HOT = np.eye(C, dtype=np.float32)[LABELS]
MANY = (RNG.random((N, C)) < 0.4).astype(np.float32)
NUMBERS = (50 + 3 * RNG.normal(size=N)).astype(np.float32)
REGRESS = Regress(mean=48.0, deviation=2.5)
MEAN_ERROR = MeanError(mean=48.0, deviation=2.5)
EXACT = ((NUMBERS.astype(np.float64) - 48.0) / 2.5).astype(np.float32)[:, None]
STEPS = (RNG.integers(1, 9, (N, 1)) / 4).astype(np.float32)
NEAR = EXACT + 0.2 * RNG.normal(size=(N, 1)).astype(np.float32)

CASES = {
    "classify": ObjectiveCase(
        objective=Classify(), outputs=LOGITS, labels=LABELS, best=20 * ONE_HOT, worst=-20 * ONE_HOT
    ),
    "multilabel": ObjectiveCase(
        objective=Multilabel(), outputs=LOGITS, labels=MANY, best=20 * (2 * MANY - 1), worst=-20 * (2 * MANY - 1)
    ),
    "map": ObjectiveCase(
        objective=MeanAveragePrecision(num_labels=C),
        outputs=LOGITS,
        labels=MANY,
        best=20 * (2 * MANY - 1),
        worst=-20 * (2 * MANY - 1),
        least=float(average_precision_score(MANY, -MANY, average="macro")),
    ),
    "weighted labels": ObjectiveCase(
        objective=Multilabel().weighted((0.5, 1.0, 2.0, 4.0)),
        outputs=LOGITS,
        labels=MANY,
        best=20 * (2 * MANY - 1),
        worst=-20 * (2 * MANY - 1),
    ),
    "regress": ObjectiveCase(objective=REGRESS, outputs=NEAR, labels=NUMBERS, best=EXACT, worst=-30 * EXACT),
    "mae": ObjectiveCase(
        objective=MEAN_ERROR, outputs=STEPS + NEAR - EXACT, labels=48 + 2.5 * STEPS[:, 0], best=STEPS, worst=-30 * STEPS
    ),
    **{
        kind.__name__: ObjectiveCase(
            objective=kind(num_classes=C), outputs=LOGITS, labels=LABELS, best=20 * ONE_HOT, worst=-20 * ONE_HOT
        )
        for kind in (Auroc, BalancedAccuracy, MacroF1)
    },
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
class TestShipped(ObjectiveTests):
    """Every objective that ships keeps the contract."""


def quality(objective, outputs, labels) -> float:
    return float(objective.quality(objective.tally(outputs, labels)))


def test_classes_are_judged_as_scikit_learn_judges_them() -> None:
    loss = np.mean(Classify().loss(LOGITS, LABELS))
    assert loss == pytest.approx(log_loss(LABELS, jax.nn.softmax(LOGITS)), rel=1e-5)
    assert quality(Classify(), LOGITS, LABELS) == accuracy_score(LABELS, LOGITS.argmax(axis=1))


@pytest.mark.parametrize("num_classes", [2, C])
def test_rare_classes_count_as_scikit_learn_counts_them(num_classes: int) -> None:
    outputs = np.asarray(RNG.normal(size=(400, num_classes)) + np.arange(num_classes), np.float32)
    labels = np.minimum(RNG.integers(0, 9, 400), num_classes - 1).astype(np.int32)
    said, chances = outputs.argmax(axis=1), np.asarray(jax.nn.softmax(outputs))
    area = roc_auc_score(labels, chances[:, 1] if num_classes == 2 else chances, multi_class="ovr")
    found = {
        kind: quality(kind(num_classes=num_classes), outputs, labels) for kind in (BalancedAccuracy, MacroF1, Auroc)
    }
    assert found[BalancedAccuracy] == pytest.approx(balanced_accuracy_score(labels, said))
    assert found[MacroF1] == pytest.approx(f1_score(labels, said, average="macro"))
    assert found[Auroc] == pytest.approx(area, abs=2e-3)


def test_a_mean_error_is_a_share_of_that_of_the_mean() -> None:
    error, constant = (mean_absolute_error(NUMBERS, one) for one in (48 + 2.5 * NEAR[:, 0], np.full(N, 48.0)))
    assert quality(MEAN_ERROR, NEAR, NUMBERS) == pytest.approx(1 - error / constant, rel=1e-5)


def test_programs_do_not_depend_on_how_many_classes_a_metric_tells_apart() -> None:
    assert Auroc(num_classes=2) == Auroc(num_classes=9)
    assert Auroc(num_classes=2) != MacroF1(num_classes=2)


def test_the_loss_of_classes_and_its_gradient_are_those_of_the_plain_formula_to_the_last_bit() -> None:
    def plain(logits):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), LABELS[:, None], axis=1))

    ours, theirs = (
        jax.jit(jax.value_and_grad(loss))(LOGITS)
        for loss in (lambda logits: jnp.mean(Classify().loss(logits, LABELS)), plain)
    )
    assert ours[0] == theirs[0]
    np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_labels_are_smoothed_over_the_classes_there_are_as_by_optax(smoothing: float) -> None:
    padded = np.concatenate([LOGITS, np.full((N, 3), -1e9, np.float32)], axis=1)
    expected = optax.softmax_cross_entropy(LOGITS, optax.smooth_labels(ONE_HOT, smoothing))
    for outputs in (LOGITS, padded):
        found = Classify().loss(jnp.asarray(outputs), LABELS, jnp.float32(smoothing))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    slope = jax.grad(lambda outputs: Classify().loss(outputs, LABELS, smoothing).mean())(jnp.asarray(padded))
    assert not np.asarray(slope)[:, C:].any()


def test_each_of_several_labels_is_smoothed_for_itself() -> None:
    expected = optax.sigmoid_binary_cross_entropy(LOGITS, 0.9 * MANY + 0.05).mean(axis=1)
    np.testing.assert_allclose(Multilabel().loss(LOGITS, MANY, 0.1), expected, rtol=1e-5)


def test_of_equal_outputs_the_first_class_is_said() -> None:
    assert quality(Classify(), np.zeros((4, 3), np.float32), np.array([0, 0, 0, 1], np.int32)) == 0.75


def test_labels_are_judged_as_scikit_learn_judges_them() -> None:
    loss = np.mean(Multilabel().loss(LOGITS, MANY))
    chances = jax.nn.sigmoid(LOGITS).ravel()
    assert loss == pytest.approx(log_loss(MANY.ravel(), np.stack([1 - chances, chances], axis=1)), rel=1e-5)
    assert quality(Multilabel(), LOGITS, MANY) == pytest.approx(f1_score(MANY, LOGITS > 0, average="micro"), rel=1e-9)


def test_where_there_is_no_label_saying_none_is_right_and_any_is_wrong() -> None:
    none = np.zeros((3, 2), np.float32)
    assert quality(Multilabel(), none - 1, none) == 1
    assert quality(Multilabel(), np.array([[1, -1], [-1, -1], [-1, -1]], np.float32), none) == 0


def test_numbers_are_judged_as_scikit_learn_judges_them() -> None:
    said = NEAR[:, 0].astype(np.float64) * 2.5 + 48.0
    loss = np.mean(REGRESS.loss(NEAR, NUMBERS))
    assert loss == pytest.approx(mean_squared_error(NUMBERS, said) / 2.5**2, rel=1e-4)
    assert quality(REGRESS, NEAR, NUMBERS) == pytest.approx(r2_score(NUMBERS.astype(np.float64), said), rel=1e-6)


def test_a_model_worse_than_the_mean_is_worth_nothing_and_not_less() -> None:
    assert r2_score(NUMBERS, -30 * NUMBERS) < 0
    assert quality(REGRESS, -30 * EXACT, NUMBERS) == 0


@pytest.mark.parametrize(("off", "expected"), [(0.0, 1.0), (0.5, 0.0)])
def test_where_all_numbers_are_the_same_only_that_one_will_do(off: float, expected: float) -> None:
    same = np.full(5, 1e6, np.float32)
    objective = Regress(mean=0.0, deviation=1e6)
    assert quality(objective, np.full((5, 1), 1.0 + off, np.float32), same) == expected


@pytest.mark.parametrize(
    ("output", "metric", "expected"),
    [
        (Classes(names=("a", "b")), "accuracy", Classify()),
        (Labels(names=("a", "b")), "f1", Multilabel()),
        (Number(mean=1.0, deviation=2.0), "r2", Regress(mean=1.0, deviation=2.0)),
    ],
)
def test_output_and_metric_of_a_task_say_which_objective_it_has(output, metric: str, expected) -> None:
    assert objective_of(replace(sample_task("a"), output=output, metric=metric)) == expected


@pytest.mark.parametrize(
    ("output", "metric", "told"),
    [
        (Classes(names=("a", "b")), "top-3", r"'classes' and its metric 'top-3' \(it knows accuracy, auroc, .*\)"),
        (Number(mean=0.0, deviation=1.0), "accuracy", r"'number' and its metric 'accuracy' \(it knows mae, r2\)"),
        (Other(kind="boxes", values={}), "map", r"'boxes' and its metric 'map'"),
    ],
)
def test_a_metric_that_is_not_known_is_one_of_a_newer_version_or_of_another_package(
    output, metric: str, told: str
) -> None:
    task = replace(sample_task("a"), output=output, metric=metric, needs="7.1")
    with pytest.raises(NewerError, match=f"mu2net 7.1 or newer: .*{told}; this is mu2net .*") as newer:
        objective_of(task)
    with pytest.raises(PluginError, match=f"{told}, and no .* offers the objective {output.kind}.{metric}") as lacking:
        objective_of(replace(task, needs=None))
    for error in (newer.value, lacking.value):
        assert "pip install -U mu2net" in str(error)


def test_a_package_adds_a_metric_of_an_output_that_is_there_and_an_output_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = sample_task("a")
    theirs = {
        "classes.top-5": lambda output: ("top-5", output.names),
        "boxes.map": lambda output: output.values["most"],
    }
    offer(monkeypatch, OBJECTIVES, **theirs)
    assert objective_of(replace(task, output=Classes(names=("a", "b")), metric="top-5")) == ("top-5", ("a", "b"))
    assert objective_of(replace(task, output=Other(kind="boxes", values={"most": 7}), metric="map")) == 7
    with pytest.raises(PluginError, match=r"metric 'top-1' \(it knows accuracy, .*, top-5\)"):
        objective_of(replace(task, output=Classes(names=("a", "b")), metric="top-1"))
    assert objective_of(replace(task, output=Classes(names=("a", "b")), metric="accuracy")) == Classify()


@dataclass(frozen=True)
class MeanLoss(Classify):
    def loss(self, outputs, labels, smoothing=0.0):
        return jnp.mean(super().loss(outputs, labels))


@dataclass(frozen=True)
class ExpLoss(Classify):
    def loss(self, outputs, labels, smoothing=0.0):
        return -jnp.log(jnp.exp(outputs) / jnp.exp(outputs).sum(axis=1, keepdims=True))[jnp.arange(len(labels)), labels]


@dataclass(frozen=True)
class BatchLoss(Classify):
    def loss(self, outputs, labels, smoothing=0.0):
        return super().loss(outputs - outputs.mean(axis=0), labels)


@dataclass(frozen=True)
class UphillLoss(Classify):
    def loss(self, outputs, labels, smoothing=0.0):
        return -super().loss(outputs, labels)


@dataclass(frozen=True)
class FlatLoss(Classify):
    def loss(self, outputs, labels, smoothing=0.0):
        return (jnp.argmax(outputs, axis=1) != labels).astype(jnp.float32)


@dataclass(frozen=True)
class Shares(Classify):
    def tally(self, outputs, labels):
        found = super().tally(outputs, labels)
        return {"right": found["right"] / np.maximum(found["count"], 1), "count": found["count"] * 0 + 1}


@dataclass(frozen=True)
class FirstFew(Classify):
    def tally(self, outputs, labels):
        return super().tally(outputs[..., :20, :], labels[:20])


@dataclass(frozen=True)
class AllInOne(Classify):
    def tally(self, outputs, labels):
        return {name: np.sum(value) for name, value in super().tally(outputs, labels).items()}


@dataclass(frozen=True)
class Percent(Classify):
    def quality(self, sums):
        return 100 * super().quality(sums)


@dataclass(frozen=True)
class Errors(Classify):
    def quality(self, sums):
        return 1 - super().quality(sums)


class NotANumber(Regress):
    def quality(self, sums):
        spread = sums["squares"] - sums["total"] ** 2 / sums["count"]
        return np.clip(1 - sums["errors"] / np.where(spread > 0, spread, 1), 0, 1)


@dataclass(frozen=True)
class Smoothed(Classify):
    def loss(self, outputs, labels, smoothing=0.0):
        return super().loss(outputs, labels) - 0.01 * jax.nn.log_softmax(outputs).mean(axis=1)


class AlwaysSmoothed(Classify):
    def loss(self, outputs, labels, smoothing=0.0):
        return super().loss(outputs, labels, jnp.maximum(smoothing, 0.05) if isinstance(smoothing, jax.Array) else 0.0)


class Unhashable(Classify):
    __hash__ = None  # type: ignore[assignment]


WRONG = {
    "a mean loss": (MeanLoss(), "one_finite_number_an_example"),
    "an overflowing loss": (ExpLoss(), "one_finite_number_an_example"),
    "a loss of the batch": (BatchLoss(), "does_not_depend_on_the_others"),
    "a loss that grows": (UphillLoss(), "a_better_model_has_less_loss"),
    "a loss without a gradient": (FlatLoss(), "following_the_gradient"),
    "shares instead of sums": (Shares(), "sums_of_parts"),
    "the first few only": (FirstFew(), "the_order_of_examples"),
    "models not told apart": (AllInOne(), "models_side_by_side"),
    "percent": (Percent(), "between_0_and_1"),
    "less is better": (Errors(), "between_0_and_1"),
    "no number": (NotANumber(mean=48.0, deviation=2.5), "no_numbers"),
    "classes that are absent, too": (Smoothed(), "absent_change_nothing"),
    "labels smoothed by more than was asked for": (AlwaysSmoothed(), "smoothed_labels"),
    "no key": (Unhashable(), "programs_can_be_kept_by"),
}


@pytest.mark.parametrize(("objective", "named"), WRONG.values(), ids=WRONG.keys())
def test_the_suite_finds_a_wrong_objective(objective, named: str) -> None:
    case = replace(CASES["regress" if isinstance(objective, Regress) else "classify"], objective=objective)
    (check,) = [getattr(ObjectiveTests(), name) for name in dir(ObjectiveTests) if named in name]
    with np.errstate(all="ignore"), pytest.raises((AssertionError, TypeError)):
        check(case)


def test_the_wrong_objectives_break_every_promise_of_the_suite() -> None:
    promises = [name for name in dir(ObjectiveTests) if name.startswith("test_")]
    assert all(any(named in name for _, named in WRONG.values()) for name in promises)


def test_the_mean_average_precision_is_that_of_scikit_learn_and_leaves_out_labels_that_nobody_has() -> None:
    rounded = np.round(LOGITS * 4) / 4  # ties, and each in a step of its own
    objective = MeanAveragePrecision(num_labels=C)
    expected = average_precision_score(MANY, rounded, average="macro")
    np.testing.assert_allclose(quality(objective, rounded, MANY), expected, rtol=1e-12)
    lacking = MANY * np.array([1, 1, 0, 1])
    expected = average_precision_score(lacking[:, [0, 1, 3]], rounded[:, [0, 1, 3]], average="macro")
    np.testing.assert_allclose(quality(objective, rounded, lacking), expected, rtol=1e-12)
    assert quality(objective, rounded, 0 * MANY) == 0


def test_weights_of_classes_multiply_the_loss_of_their_examples_and_leave_quality_alone() -> None:
    weights = (0.5, 1.0, 2.0, 4.0)
    plain, weighted = Classify(), objective_of(replace(sample_task("t"), class_weights=weights))
    given = (jnp.asarray(LOGITS), jnp.asarray(LABELS), 0.1)
    np.testing.assert_allclose(weighted.loss(*given), plain.loss(*given) * np.array(weights)[LABELS], rtol=1e-6)
    assert quality(weighted, LOGITS, LABELS) == quality(plain, LOGITS, LABELS)
    assert weighted != plain, "programs are kept by it"


def test_weights_of_labels_multiply_what_the_examples_that_have_them_lose() -> None:
    weights = np.array((0.5, 1.0, 2.0, 4.0), np.float32)
    task = replace(
        sample_task("t"), output=Labels(names=tuple("abcd")), metric="map", class_weights=(0.5, 1.0, 2.0, 4.0)
    )
    each = optax.sigmoid_binary_cross_entropy(LOGITS, MANY)
    expected = (each * np.where(MANY > 0, weights, 1)).mean(axis=-1)
    np.testing.assert_allclose(objective_of(task).loss(jnp.asarray(LOGITS), jnp.asarray(MANY)), expected, rtol=1e-5)


def test_an_objective_that_knows_no_weights_is_said_to_know_none() -> None:
    task = replace(sample_task("t"), output=Number(mean=0.0, deviation=1.0), metric="r2", class_weights=(1.0,))
    with pytest.raises(PluginError, match=r"number\.r2 knows no weights of classes"):
        objective_of(task)
