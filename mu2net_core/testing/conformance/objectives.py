"""What every objective must do: inherit ``ObjectiveTests``, give it a fixture ``case``, and run it with pytest."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.objectives import Objective, Sums, add

__all__ = ["ObjectiveCase", "ObjectiveTests"]

_CUTS = ([0], [1], [3, 4], [5, 5, 9])
"""Where examples are cut into batches; two cuts in one place leave a batch without any."""

_ABSENT = -1e9
"""An output that a task does not ask for, where programs have room for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveCase:
    """An objective, with examples to try it on.

    Attributes:
        objective: under test.
        outputs: float32 [N, C] of a model, neither all right nor all wrong; N is 10 at least.
        labels: [N, ...], as the objective has them.
        best: float32 [N, C], outputs that cannot be better.
        worst: float32 [N, C], outputs that are as wrong as can be.
        least: the quality of these; of most metrics 0.
    """

    objective: Objective
    outputs: np.ndarray
    labels: np.ndarray
    best: np.ndarray
    worst: np.ndarray
    least: float = 0.0

    def loss(self, outputs: np.ndarray, part: slice = slice(None)) -> np.ndarray:
        """Returns the loss of outputs for a part of the examples, one number for each."""
        return np.asarray(self.objective.loss(jnp.asarray(outputs[part]), jnp.asarray(self.labels[part])))

    def quality(self, outputs: np.ndarray) -> float:
        """Returns the quality of outputs for all examples."""
        return float(self.objective.quality(self.objective.tally(outputs, self.labels)))


class ObjectiveTests:
    """The contract of ``mu2net_core.objectives.Objective``, one behaviour a test."""

    def test_the_loss_has_one_finite_number_an_example_also_where_outputs_are_extreme(
        self, case: ObjectiveCase
    ) -> None:
        for outputs in (case.outputs, case.best, case.worst, np.zeros_like(case.outputs), 1e3 * case.outputs):
            loss = np.asarray(jax.jit(case.objective.loss)(jnp.asarray(outputs), jnp.asarray(case.labels)))
            assert loss.shape == (len(case.labels),)
            assert loss.dtype == np.float32
            assert np.isfinite(loss).all()

    def test_the_loss_of_an_example_does_not_depend_on_the_others(self, case: ObjectiveCase) -> None:
        whole = case.loss(case.outputs)
        for index in (0, len(whole) - 1):
            own = slice(index, index + 1)
            alone = case.loss(case.outputs, own)
            np.testing.assert_allclose(alone, whole[own], rtol=1e-5, atol=1e-6)

    def test_smoothed_labels_have_a_finite_loss_and_those_smoothed_by_nothing_the_loss_itself(
        self, case: ObjectiveCase
    ) -> None:
        loss = jax.jit(case.objective.loss)
        for outputs in (case.outputs, case.best, case.worst, 1e3 * case.outputs):
            given = (jnp.asarray(outputs), jnp.asarray(case.labels))
            assert np.isfinite(np.asarray(loss(*given, jnp.float32(0.1)))).all()
            np.testing.assert_allclose(loss(*given, jnp.float32(0)), loss(*given), rtol=1e-6, atol=1e-6)

    def test_a_better_model_has_less_loss(self, case: ObjectiveCase) -> None:
        best, given, worst = (case.loss(outputs).mean() for outputs in (case.best, case.outputs, case.worst))
        assert best < given < worst

    def test_following_the_gradient_lessens_the_loss(self, case: ObjectiveCase) -> None:
        def mean(outputs: jax.Array) -> jax.Array:
            return case.objective.loss(outputs, jnp.asarray(case.labels)).mean()

        before, slope = jax.value_and_grad(mean)(jnp.asarray(case.outputs))
        assert np.isfinite(slope).all()
        assert mean(case.outputs - 0.1 * slope) < before

    def test_sums_of_parts_are_the_sums_of_the_whole(self, case: ObjectiveCase) -> None:
        tally = case.objective.tally
        whole = tally(case.outputs, case.labels)
        for cuts in _CUTS:
            parts = zip(np.split(case.outputs, cuts), np.split(case.labels, cuts), strict=True)
            _assert_same(reduce(add, [tally(outputs, labels) for outputs, labels in parts]), whole)

    def test_the_order_of_examples_does_not_count(self, case: ObjectiveCase) -> None:
        other = case.objective.tally(case.outputs[::-1], case.labels[::-1])
        _assert_same(other, case.objective.tally(case.outputs, case.labels))

    def test_models_side_by_side_are_tallied_each_for_itself(self, case: ObjectiveCase) -> None:
        several = (case.outputs, case.best, case.worst)
        together = case.objective.tally(np.stack(several), case.labels)
        assert {value.shape[:1] for value in together.values()} == {(3,)}
        assert np.shape(case.objective.quality(together)) == (3,)
        qualities = np.asarray(case.objective.quality(together))
        np.testing.assert_allclose(qualities, [case.quality(one) for one in several], rtol=1e-9)

    def test_quality_lies_between_0_and_1_and_tells_good_from_bad(self, case: ObjectiveCase) -> None:
        assert abs(case.quality(case.worst) - case.least) <= 1e-9
        assert case.least < case.quality(case.outputs) < 1
        assert abs(case.quality(case.best) - 1) <= 1e-9
        for index in range(len(case.labels)):
            own = slice(index, index + 1)
            for outputs in (case.outputs, case.best, case.worst):
                alone = case.objective.tally(outputs[own], case.labels[own])
                assert 0 <= float(case.objective.quality(alone)) <= 1

    def test_outputs_that_are_no_numbers_are_no_good_and_do_no_harm(self, case: ObjectiveCase) -> None:
        quality = case.quality(np.full_like(case.outputs, np.nan))
        assert 0 <= quality <= case.quality(case.best)
        assert quality < 1

    def test_outputs_that_are_absent_change_nothing_where_it_says_so(self, case: ObjectiveCase) -> None:
        if not case.objective.ignores_absent:
            return
        absent = np.full((len(case.labels), 3), _ABSENT, np.float32)
        for outputs in (case.outputs, case.best, case.worst, np.zeros_like(case.outputs)):
            padded = np.concatenate([outputs, absent], axis=1)
            np.testing.assert_allclose(case.loss(padded), case.loss(outputs), rtol=1e-5, atol=1e-6)
            _assert_same(case.objective.tally(padded, case.labels), case.objective.tally(outputs, case.labels))
            slope = jax.grad(lambda given: case.objective.loss(given, jnp.asarray(case.labels)).mean())(padded)
            assert np.isfinite(slope).all()
            assert not np.asarray(slope)[:, outputs.shape[1] :].any()

    def test_it_is_a_value_that_programs_can_be_kept_by(self, case: ObjectiveCase) -> None:
        again = pickle.loads(pickle.dumps(case.objective))  # noqa: S301 - made here
        assert again == case.objective
        assert hash(again) == hash(case.objective)


def _assert_same(found: Sums, expected: Sums) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.asarray(found[name]).dtype == np.float64
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-9, err_msg=name)
