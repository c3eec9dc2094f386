"""What an architecture family must offer so that the engine can evolve it.

A model is a row of layers. A family says which layers a set of hyperparameters asks for, makes their first
parameters, and runs any contiguous part of the row; everything else (which layer is trained, cloned, frozen) is the
engine's business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import jax
import numpy as np

from mu2net_core.objects import Hyperparameter

__all__ = ["ArchitectureFamily", "Arrays", "LayerSpec", "Params", "Precision", "Shapes"]

Params = Mapping[str, jax.Array]
"""One layer's parameters by slash-joined name, on the device."""

Arrays = Mapping[str, np.ndarray]
"""The same on the host."""

Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape and number type of a layer's arrays by name."""

Precision = Literal["float32", "bfloat16"]
"""In which numbers products are computed; parameters, normalisations, softmax and logits are float32 in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """One layer of a model: hashable, and all that decides its compiled code.

    Attributes:
        name: unique in the model, e.g. ``encoderblock_0``; also the component's name.
        kind: which code runs it.
        sizes: named numbers, sorted by name; the shapes of its parameters follow from them.
        flow: named numbers of what passes through it, sorted by name, e.g. how many tokens: what it computes depends
            on them, its parameters do not.
    """

    name: str
    kind: str
    sizes: tuple[tuple[str, int], ...]
    flow: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, name: str, kind: str, *, flow: Mapping[str, int] | None = None, **sizes: int) -> LayerSpec:
        """Returns a spec with its sizes in canonical order."""
        passing = tuple(sorted((flow or {}).items()))
        return cls(name=name, kind=kind, sizes=tuple(sorted(sizes.items())), flow=passing)

    def size(self, name: str) -> int:
        """Returns the size called ``name``, its own or of what passes through."""
        return dict((*self.sizes, *self.flow))[name]

    @property
    def config(self) -> dict[str, int | float | str | bool]:
        """The spec as a component's stored config."""
        return {"kind": self.kind, **dict(self.sizes)}


class ArchitectureFamily(Protocol):
    """A family of models (entry point group ``mu2net.architectures``).

    ``B`` is the batch, ``H W`` the image, ``D`` the width, ``T`` the tokens, ``C`` the classes.
    """

    name: str
    always_trainable: frozenset[str]
    """Names of the layers every child trains."""
    head: str
    """Name of the layer whose shape depends on the number of classes."""
    interpolated: frozenset[str]
    """Names of the layers that are interpolated to another size; all others grow to it."""

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_classes: int
    ) -> tuple[LayerSpec, ...]:
        """Returns the layers, in order, of the model these hyperparameters ask for."""
        ...

    def image_side(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> int:
        """Returns the height and width, in pixels, of the images that the model takes."""
        ...

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns the structural mutations of ``kinds`` that a model can undergo: by name, what they set."""
        ...

    def added(self, mutation: str, hyperparameters: Mapping[str, Hyperparameter]) -> str | None:
        """Returns the layer that a structural mutation added to the model of these hyperparameters, if it adds one."""
        ...

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the structure of layers that are not there any more."""
        ...

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns shape and number type of a layer's arrays by name, without making them."""
        ...

    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns first parameters of a layer, float32; with ``identity`` such that it passes on what it gets."""
        ...

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns the arrays of this layer in another size, made to fit ``spec``.

        The model computes the same afterwards, except where a position embedding is interpolated.
        """
        ...

    def slots(self, specs: Sequence[LayerSpec], kinds: Collection[str]) -> tuple[LayerSpec, ...]:
        """Returns ``specs`` with room for what mutations of ``kinds`` could add, so that all share one program.

        A layer that is not there has parameters of zeros, which pass on what they get and stay zeros in training; one
        that is smaller than its slot is padded with zeros at the end of every axis.
        """
        ...

    def apply(
        self,
        specs: Sequence[LayerSpec],
        params: Sequence[Params],
        x: jax.Array,
        *,
        above: Sequence[LayerSpec] = (),
        precision: Precision = "float32",
    ) -> jax.Array:
        """Returns what ``specs``, a contiguous part of a model's layers, make of ``x`` for the layers ``above``.

        ``x`` is what the layer before the part returned; for the first layer images float32 [B, H, W, 3] in [-1, 1].
        The last layer returns logits float32 [B, C].
        """
        ...

    def deciding(self, above: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
        """Returns, of the layers above a part, those that decide how it is run; () if any would do."""
        ...

    def cuts(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns at which indices the row may be cut into a frozen part and a trained part; 0 first, ascending."""
        ...

    def stages(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns where the row is cut to be evaluated piece by piece: equal pieces share a program; 0 first."""
        ...

    def __hash__(self) -> int:
        """A family is one object per process; what is known of its layers is cached by it."""
        ...

    def activations(self, specs: Sequence[LayerSpec]) -> int:
        """Returns how many numbers the largest layer computes for one example: about what memory an example needs."""
        ...

    def flops(self, specs: Sequence[LayerSpec]) -> int:
        """Returns floating-point operations of one example's forward pass: 2 per multiply-add of dense products."""
        ...
