"""What every family of models must do: inherit ``FamilyTests``, give it a family and the smallest of its models."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import pytest

from mu2net_core.nn import ArchitectureFamily, Arrays, LayerSpec
from mu2net_core.objects import Hyperparameter
from mu2net_core.testing.conformance.kinds import padded_array, random_arrays, random_examples

__all__ = ["FamilyTests"]

_OUTPUTS = 3

Row = list[Arrays]


class FamilyTests:
    """The contract of ``mu2net_core.nn.ArchitectureFamily``, one behaviour a test.

    The fixture ``family`` is the family, ``config`` and ``hyperparameters`` say one of its models, as small as can be,
    and ``structure`` names the kinds of changes that its structure can undergo.
    """

    @pytest.fixture
    def structure(self) -> tuple[str, ...]:
        """Returns the kinds of changes of structure; none."""
        return ()

    @pytest.fixture
    def specs(
        self, family: ArchitectureFamily, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]
    ) -> tuple[LayerSpec, ...]:
        """Returns the layers of the model."""
        return family.layers(config, hyperparameters, _OUTPUTS)

    def test_layers_have_names_of_their_own_and_the_head_is_the_last(
        self, family: ArchitectureFamily, specs: tuple[LayerSpec, ...]
    ) -> None:
        names = [spec.name for spec in specs]
        assert len(set(names)) == len(names)
        assert names[-1] == family.head
        assert {family.head} <= family.always_trainable <= set(names)
        assert {name: kind.name for name, kind in family.kinds.items()} == {name: name for name in family.kinds}

    def test_every_layer_takes_what_the_one_below_returns(
        self,
        family: ArchitectureFamily,
        specs: tuple[LayerSpec, ...],
        config: Mapping[str, Any],
        hyperparameters: Mapping[str, Hyperparameter],
    ) -> None:
        taken = family.input(config, hyperparameters)
        assert family.kind(specs[0]).takes(specs[0]) == taken.shape
        assert family.kind(specs[0]).takes_dtype == taken.dtype
        for below, above in pairwise(specs):
            given, kind = family.kind(below).gives(below), family.kind(above)
            assert kind.takes(above) == (given[1:] if kind.reads_first else given), (below, above)
        assert family.kind(specs[-1]).gives(specs[-1]) == (_OUTPUTS,)

    def test_only_the_head_depends_on_the_number_of_outputs(
        self,
        family: ArchitectureFamily,
        specs: tuple[LayerSpec, ...],
        config: Mapping[str, Any],
        hyperparameters: Mapping[str, Hyperparameter],
    ) -> None:
        assert family.layers(config, hyperparameters, _OUTPUTS) == specs
        more = family.layers(config, hyperparameters, _OUTPUTS + 1)
        assert more[:-1] == specs[:-1]
        assert more[-1] != specs[-1]

    def test_it_may_be_cut_in_order_and_computes_the_same_piece_by_piece(
        self, family: ArchitectureFamily, specs: tuple[LayerSpec, ...], structure: tuple[str, ...]
    ) -> None:
        specs = (*family.slots(specs, structure)[:-1], specs[-1])
        cuts, stages = family.cuts(specs), family.stages(specs)
        for found in (cuts, stages):
            assert found[0] == 0
            assert list(found) == sorted({*found})
            assert found[-1] < len(specs)
        row, x = _row(family, specs), random_examples(family.kind(specs[0]), specs[0], 2)
        whole, places = _outputs(family, specs, row, x), sorted({*cuts, *stages, len(specs)})
        for begin, end in pairwise(places):
            x = _outputs(family, specs[begin:end], row[begin:end], x, above=specs[end:])
        assert (whole.shape, whole.dtype.name) == ((len(x), _OUTPUTS), "float32")
        np.testing.assert_allclose(x, whole, rtol=1e-4, atol=1e-5)

    def test_what_it_costs_are_numbers_above_0(self, family: ArchitectureFamily, specs: tuple[LayerSpec, ...]) -> None:
        assert family.flops(specs) > 0
        assert family.activations(specs) > 0

    def test_a_model_that_is_there_is_settled(
        self, family: ArchitectureFamily, hyperparameters: Mapping[str, Hyperparameter]
    ) -> None:
        assert family.settled(hyperparameters) == dict(hyperparameters)

    def test_after_a_change_of_structure_it_computes_the_same(
        self,
        family: ArchitectureFamily,
        specs: tuple[LayerSpec, ...],
        config: Mapping[str, Any],
        hyperparameters: Mapping[str, Hyperparameter],
        structure: tuple[str, ...],
    ) -> None:
        row, x = _row(family, specs), random_examples(family.kind(specs[0]), specs[0], 2)
        before = _outputs(family, specs, row, x)
        assert family.structural(config, hyperparameters, ()) == {}
        assert set(structure) == set(family.vocabulary.structural)
        for kind in structure:
            changes = family.structural(config, hyperparameters, (kind,))
            assert changes, f"no change of the kind {kind}"
            for mutation, sets in changes.items():
                assert mutation.startswith(("add:", "grow:"))
                child = {**hyperparameters, **sets}
                assert family.settled(child) == child
                changed = family.layers(config, child, _OUTPUTS)
                _check_added(family, specs, changed, family.added(mutation, child))
                after = _outputs(family, changed, _grown(family, specs, row, changed), x)
                np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4, err_msg=mutation)

    def test_in_slots_with_room_for_more_it_computes_the_same(
        self, family: ArchitectureFamily, specs: tuple[LayerSpec, ...], structure: tuple[str, ...]
    ) -> None:
        slots = family.slots(specs, structure)
        own = {spec.name for spec in specs}
        assert [slot for slot in slots if slot.name in own] == [family.roomy(spec) for spec in specs]
        assert all(family.kind(slot).may_be_absent for slot in slots if slot.name not in own)
        assert family.slots(slots, structure) == slots
        row, x = _row(family, specs), random_examples(family.kind(specs[0]), specs[0], 2)
        found = dict(zip([spec.name for spec in specs], row, strict=True))
        padded = [_padded(family, slot, found.get(slot.name, {})) for slot in slots]
        present = np.array([slot.name in own for slot in slots])
        before = _outputs(family, specs, row, x)
        for there in (None, present):
            after = _outputs(family, slots, padded, x, present=there)[:, :_OUTPUTS]
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def _check_added(
    family: ArchitectureFamily, before: tuple[LayerSpec, ...], after: tuple[LayerSpec, ...], added: str | None
) -> None:
    """Checks that what a mutation is said to have added is all that is new, and can be added."""
    new = {spec.name: spec for spec in after if spec.name not in {old.name for old in before}}
    assert set(new) == ({added} if added else set())
    assert all(family.kind(spec).is_residual for spec in new.values())


def _row(family: ArchitectureFamily, specs: tuple[LayerSpec, ...]) -> Row:
    return [random_arrays(family.kind(spec), spec, place) for place, spec in enumerate(specs)]


def _outputs(
    family: ArchitectureFamily,
    specs: tuple[LayerSpec, ...],
    row: Row,
    x: np.ndarray,
    *,
    above: tuple[LayerSpec, ...] = (),
    present: np.ndarray | None = None,
) -> np.ndarray:
    run = jax.jit(lambda row, x, present: family.apply(specs, row, x, above=above, present=present))
    return np.asarray(run(row, x, present))


def _grown(family: ArchitectureFamily, specs: tuple[LayerSpec, ...], row: Row, changed: tuple[LayerSpec, ...]) -> Row:
    """Returns the row of a changed model: what was there, made to fit, and what is new, passing on what it gets."""
    there, rng = dict(zip([spec.name for spec in specs], row, strict=True)), np.random.default_rng(3)
    return [
        family.adapted(spec, there[spec.name], rng) if spec.name in there else family.init(spec, rng, identity=True)
        for spec in changed
    ]


def _padded(family: ArchitectureFamily, slot: LayerSpec, arrays: Arrays) -> Arrays:
    """Returns arrays as large as the slot; of a layer that is not there, the padding alone."""
    return {name: padded_array(family.kind(slot), slot, name, arrays.get(name)) for name in family.shapes(slot)}
