"""What every kind of input must do: inherit ``ModalityTests``, give it the fixture ``case``, and run it with pytest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from mu2net_core.data import Change, Modality, Stored
from mu2net_core.objects import Hyperparameter

__all__ = ["ModalityCase", "ModalityTests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityCase:
    """A modality, with examples to try it on.

    Attributes:
        modality: under test.
        examples: as a source stores them, all different; two at least.
        given: what goes into models; None if the modality does not look at it.
        shape: of one example as some model takes it.
        strong: hyperparameters under which examples are changed, if any are; several, if there are.
    """

    modality: Modality
    examples: Sequence[Stored]
    given: Any = None
    shape: tuple[int, ...]
    strong: Mapping[str, Hyperparameter] = field(default_factory=dict)

    def ready(self, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Returns the examples as a model takes them, or in another ``shape``."""
        read = self.modality.reader(self.given, shape or self.shape, {})
        return np.stack([read(stored) for stored in self.examples])

    def changed(self, seed: int) -> np.ndarray:
        """Returns the same, changed."""
        change = self.modality.change(self.strong)
        assert change is not None
        words = np.array([0, seed], np.uint32)
        return np.asarray(jax.jit(change.apply)(self.ready(), change.settings, words))


class ModalityTests:
    """The contract of ``mu2net_core.data.Modality``, one behaviour a test."""

    def test_examples_are_told_apart_by_shape_and_bytes(self, case: ModalityCase) -> None:
        hashed = [case.modality.hashed(stored) for stored in case.examples]
        assert len(set(hashed)) == len(case.examples)
        assert hashed == [case.modality.hashed(replace(stored, name="another", label=1)) for stored in case.examples]
        assert all(isinstance(data, bytes) and isinstance(shape, tuple) for shape, data in hashed)

    def test_a_model_gets_the_shape_it_takes_and_the_declared_type(self, case: ModalityCase) -> None:
        ready = case.ready()
        assert (ready.shape[1:], ready.dtype.name) == (case.shape, case.modality.dtype)
        assert np.array_equal(ready, case.ready())
        assert len({one.tobytes() for one in ready}) > 1

    def test_examples_that_were_read_in_their_own_shape_become_what_is_read_in_another(
        self, case: ModalityCase
    ) -> None:
        survey = case.modality.survey({})
        for stored in case.examples:
            survey.look(stored)
        own = case.modality.own_shape(survey.input())
        if own is not None:
            made = [case.modality.refitted(example, case.shape) for example in case.ready(own)]
            assert np.array_equal(made, case.ready())

    def test_a_survey_says_what_goes_in(self, case: ModalityCase) -> None:
        survey = case.modality.survey({})
        assert all(survey.look(stored) for stored in case.examples)
        survey.check("some:data")
        assert survey.input().kind == case.modality.kind
        assert all(isinstance(note, str) for note in survey.notes())

    def test_without_any_hyperparameter_nothing_is_changed(self, case: ModalityCase) -> None:
        assert case.modality.change({}) is None
        assert case.strong.keys() <= case.modality.preparation

    def test_a_change_follows_from_its_key_alone_and_keeps_shape_and_type(self, case: ModalityCase) -> None:
        if not case.strong:
            assert not case.modality.preparation
            return
        before, after, other = case.ready(), case.changed(1), case.changed(2)
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
        assert np.array_equal(after, case.changed(1))
        assert not np.array_equal(after, before)
        assert not np.array_equal(after, other)

    def test_all_settings_of_a_change_share_one_program(self, case: ModalityCase) -> None:
        several = [case.strong, case.strong, *({name: value} for name, value in case.strong.items())]
        found = [change for one in several if (change := case.modality.change(one)) is not None]
        for change in found[1:]:
            assert change.apply is found[0].apply
            assert _kinds(change) == _kinds(found[0])


def _kinds(change: Change) -> list[tuple[str, tuple[int, ...], np.dtype]]:
    """Returns path, shape and type of all that settings consist of."""
    leaves = jax.tree_util.tree_leaves_with_path(change.settings)
    return [(jax.tree_util.keystr(path), np.shape(leaf), np.asarray(leaf).dtype) for path, leaf in leaves]
