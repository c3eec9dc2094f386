"""What an architecture family must offer so that the engine can evolve it.

A model is a row of layers. A family says which layers a set of hyperparameters asks for, and how the row may change;
the kinds of its layers make their first parameters and run them; everything else (which layer is trained, cloned,
frozen) is the engine's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mu2net_core.nn import row
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import LayerKind
from mu2net_core.nn.spec import Arrays, LayerSpec, Params, Precision, Shapes
from mu2net_core.objects import Hyperparameter

__all__ = ["ArchitectureFamily", "Vocabulary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a family calls the hyperparameters and changes that others than itself must know the meaning of.

    Attributes:
        depth: says how many blocks a model has, the more the larger; empty if that never changes. Blocks that are alike
            and stand in a row are trained by one program whatever their number.
        input: says how large the input is; empty if that never changes.
        added: says the sizes of layers that are only there once a model's structure was changed.
        structural: kinds of changes of structure that it knows.
    """

    depth: str = ""
    input: str = ""
    added: frozenset[str] = frozenset()
    structural: frozenset[str] = frozenset()


class ArchitectureFamily(ABC):
    """A family of models (entry point group ``mu2net.architectures``): one object per process, hashed by identity.

    What it must do is checked by ``mu2net_core.testing.conformance.families.FamilyTests``. ``B`` is the batch.
    """

    name: str
    kinds: Mapping[str, LayerKind]
    """The kinds of its layers by name."""
    head: str
    """Name of the last layer, whose shape alone depends on the number of outputs."""
    always_trainable: frozenset[str]
    """Names of the layers every child trains."""
    of_task: frozenset[str] = frozenset()
    """Names of layers that mean something to one task alone, as the columns of its table do: like its head they are new
    in a model that comes from another task's."""
    vocabulary: Vocabulary = Vocabulary()

    @abstractmethod
    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns the layers, in order, of the model these hyperparameters ask for.

        Raises:
            InvalidInputError: there is no such model.
        """

    @abstractmethod
    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns what the first layer of that model takes.

        Raises:
            InvalidInputError: there is no such model.
        """

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns the structural mutations of ``kinds`` that a model can undergo: by name, what they set."""
        del config, hyperparameters, kinds
        return {}

    def added(self, mutation: str, hyperparameters: Mapping[str, Hyperparameter]) -> str | None:
        """Returns the layer that a structural mutation added to the model of these hyperparameters, if it adds one."""
        del mutation, hyperparameters
        return None

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the structure of layers that are not there any more."""
        return dict(hyperparameters)

    def slots(self, specs: Sequence[LayerSpec], kinds: Collection[str]) -> tuple[LayerSpec, ...]:
        """Returns ``specs`` with room for what mutations of ``kinds`` could add, so that all share one program.

        A slot without a layer is of a kind that may be absent; where there is one, the slot is as ``roomy`` says.
        """
        del kinds
        return tuple(map(self.roomy, specs))

    def kind(self, spec: LayerSpec) -> LayerKind:
        """Returns the kind of a layer.

        Raises:
            InternalError: the family has none of that name.
        """
        return row.kind_of(self.kinds, spec)

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns shape and number type of a layer's arrays by name, without making them."""
        return self.kind(spec).shapes(spec)

    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns first parameters of a layer, float32; with ``identity`` such that it passes on what it gets."""
        return self.kind(spec).init(spec, rng, identity=identity)

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns the arrays of this layer in another size, made to fit ``spec``.

        The model computes the same afterwards, except where arrays are interpolated.
        """
        return self.kind(spec).adapted(spec, arrays, rng)

    def roomy(self, spec: LayerSpec) -> LayerSpec:
        """Returns the slot of a layer: itself, or a larger one that others fit into as well."""
        return self.kind(spec).roomy(spec)

    def padding(self, spec: LayerSpec, array: str) -> float:
        """Returns what a layer's array is padded with in its slot."""
        return self.kind(spec).padding(spec, array)

    def num_outputs(self, specs: Sequence[LayerSpec]) -> int:
        """Returns how many numbers the last of ``specs`` gives for an example, or for each of its tokens."""
        return self.kind(specs[-1]).gives(specs[-1])[-1]

    def apply(
        self,
        specs: Sequence[LayerSpec],
        params: Sequence[Params],
        x: jax.Array,
        *,
        above: Sequence[LayerSpec] = (),
        precision: Precision = "float32",
        present: jax.Array | None = None,
    ) -> jax.Array:
        """Returns what ``specs``, a contiguous part of a model's layers, make of ``x`` for the layers ``above``.

        ``x`` is what the layer before the part returned; for the first layer the examples, [B, *shape] of ``input``.
        The last layer returns the outputs, float32 [B, num_outputs]. ``present``, bool [L], says at run time which of
        the slots that may be empty are not: an empty one is not computed. None: all are there.
        """
        return row.run(self.kinds, specs, params, x, above=above, precision=precision, present=present)

    def deciding(self, above: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
        """Returns, of the layers above a part, those that decide how it is run; () if any would do."""
        return row.deciding(self.kinds, above)

    def cuts(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns at which indices the row may be cut into a frozen part and a trained part; 0 first, ascending."""
        return row.cuts(self.kinds, specs)

    def stages(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns where the row is cut to be evaluated piece by piece: equal pieces share a program; 0 first."""
        return row.stages(self.kinds, specs)

    def activations(self, specs: Sequence[LayerSpec]) -> int:
        """Returns how many numbers the largest layer computes for one example: about what memory an example needs."""
        return max(self.kind(spec).activations(spec) for spec in specs)

    def flops(self, specs: Sequence[LayerSpec]) -> int:
        """Returns floating-point operations of one example's forward pass: 2 per multiply-add of dense products."""
        return row.flops(self.kinds, specs)
