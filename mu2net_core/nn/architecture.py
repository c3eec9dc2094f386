"""What an architecture family must offer so that the engine can evolve it.

A model is a row of layers. A family says which layers a set of hyperparameters asks for, makes their first
parameters, and runs any contiguous part of the row; everything else (which layer is trained, cloned, shared) is the
engine's business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax

from mu2net_core.objects import Hyperparameter

__all__ = ["ArchitectureFamily", "LayerSpec", "Params"]

Params = Mapping[str, jax.Array]
"""One layer's parameters by slash-joined name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """One layer of a model: hashable, and all that decides its compiled code.

    Attributes:
        name: unique in the model, e.g. ``encoderblock_0``; also the component's name.
        kind: which code runs it.
        sizes: named numbers, sorted by name; shapes follow from them.
    """

    name: str
    kind: str
    sizes: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, name: str, kind: str, **sizes: int) -> LayerSpec:
        """Returns a spec with its sizes in canonical order."""
        return cls(name=name, kind=kind, sizes=tuple(sorted(sizes.items())))

    def size(self, name: str) -> int:
        """Returns the size called ``name``."""
        return dict(self.sizes)[name]

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

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_classes: int
    ) -> tuple[LayerSpec, ...]:
        """Returns the layers, in order, of the model these hyperparameters ask for."""
        ...

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns, by mutation name, the hyperparameters that set each change of structure a model can still undergo.

        ``kinds`` are those that are enabled: ``adapter``, ``block``, ``heads``, ``mlp``. Names begin with ``add:`` for
        new layers and ``grow:`` for larger ones.
        """
        ...

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the structure of blocks that are not there any more."""
        ...

    def init(self, spec: LayerSpec, key: jax.Array) -> Params:
        """Returns first parameters of a layer, float32; consumes ``key``."""
        ...

    def apply(
        self, specs: Sequence[LayerSpec], params: Sequence[Params], x: jax.Array, *, above: Sequence[LayerSpec] = ()
    ) -> jax.Array:
        """Returns what ``specs``, a contiguous part of a model's layers, make of ``x`` for the layers ``above``.

        ``x`` is what the layer before the part returned; for the first layer images float32 [B, H, W, 3] in [-1, 1].
        The last layer returns logits [B, C].
        """
        ...

    def cuts(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns at which indices the row may be cut into a frozen part and a trained part; 0 first, ascending.

        Few cuts mean few compiled programs.
        """
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
