"""A stored model, ready to be run: what measuring, predicting, and whoever else needs outputs begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from mu2net_core.data import Examples
from mu2net_core.engine.beginning import padded
from mu2net_core.engine.feeding import Feed, hold
from mu2net_core.engine.fitting import check_component, model_specs
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.training import Row
from mu2net_core.nn import InputSpec, LayerSpec, Precision
from mu2net_core.objects import Component, ComponentRef, Limits, Model, made_by_newer, unknown_in

__all__ = ["LoadedModel", "precision_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A stored model whose parameters are on the device.

    Attributes:
        programs: that run its layers, in the products it was trained in.
        specs: its layers.
        slots: their places, so that models of any task share programs; those of training, too, if its head was in one.
        row: the parameters in these.
        input_spec: what one example must be.
    """

    programs: Programs
    specs: tuple[LayerSpec, ...]
    slots: tuple[LayerSpec, ...]
    row: Row
    input_spec: InputSpec

    @classmethod
    def of(
        cls,
        model: Model,
        *,
        num_outputs: int,
        programs: Programs,
        limits: Limits,
        load: Callable[[str], Component],
        bring: Callable[[Sequence[ComponentRef]], None] = lambda _refs: None,
    ) -> LoadedModel:
        """Loads a model; nothing of its size is made before it is checked.

        Args:
            model: its manifest, trusted in nothing.
            num_outputs: how many its task asks for.
            programs: of its architecture.
            limits: of what is built.
            load: returns a component's arrays.
            bring: told of the components about to be loaded, so that those that are elsewhere can come together.

        Raises:
            NewerError: a newer mu2net made it.
            CorruptObjectError: the architecture cannot be built, or the components are not those it asks for.
        """
        if (unknown := unknown_in(model)) is not None:
            raise made_by_newer(f"Cannot load the model of {model.task}", unknown)
        family = programs.family
        specs = model_specs(model, family, num_outputs, limits)
        bring(model.components)
        slots, row = tuple(map(family.roomy, specs)), []
        for ref, spec, slot in zip(model.components, specs, slots, strict=True):
            component = load(ref.id)
            check_component(family, spec, component, ref.id)
            params = padded(component.params, slot, family)
            row.append({name: programs.placement.put(array) for name, array in params.items()})
        input_spec = family.input(model.architecture.config, model.hyperparameters)
        return cls(programs=programs, specs=specs, slots=slots, row=tuple(row), input_spec=input_spec)

    @property
    def batch(self) -> int:
        """E: how many examples go through it at once."""
        return self.programs.evaluation_batch(self.specs)

    def forward(self, inputs: np.ndarray) -> jax.Array:
        """Returns float32 [E, C]: what comes out for [M, ...], up to E examples, those that are padding included."""
        held = hold(inputs, self.batch, self.programs)
        outputs = self.programs.activations(self.slots, self.row, held)
        return outputs[..., : self.programs.family.num_outputs(self.specs)]

    def over(self, feed: Feed, *, limit: int | None = None) -> Iterator[tuple[Examples, jax.Array]]:
        """Yields the first ``limit`` examples of a split, or all, in order and a batch at a time, with what comes out.

        One batch is in memory.
        """
        for examples in feed.in_order(chunk=self.batch, limit=limit):
            yield examples, self.forward(examples.inputs)

    def over_inputs(self, inputs: np.ndarray) -> Iterator[tuple[np.ndarray, jax.Array]]:
        """Yields likewise for inputs [N, ...], as the model takes them, that have no labels."""
        for begin in range(0, len(inputs), self.batch):
            part = inputs[begin : begin + self.batch]
            yield part, self.forward(part)


def precision_of(model: Model) -> Precision:
    """Returns in which products a stored model was trained and measured, so that it is used in the same."""
    return "bfloat16" if model.versions.get("precision") == "bfloat16" else "float32"
