"""What a kind of layer must offer so that rows of it can be run, trained, grown, stored and accounted for.

A kind is one object without state, in a file of its own in ``kinds/``. What differs from layer to layer of a kind is in
the ``LayerSpec``; what differs from model to model in which kinds stand in a row is the family's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.nn.spec import Arrays, LayerSpec, Params, Shapes

__all__ = ["LayerKind", "by_name"]


class LayerKind(ABC):
    """A kind of layer; ``B`` is the batch, whose examples know nothing of each other.

    What a kind says of itself is checked by ``mu2net_core.testing.conformance.kinds.LayerKindTests``.
    """

    name: str
    """What specs and stored components call it."""

    takes_dtype: str = "float32"
    """Of what an embedding takes, the examples themselves; all other layers take float32."""

    takes_below: int = 2
    """Of an embedding of whole numbers: below which number all of them may lie, whatever the sizes of a layer."""

    joined: Literal["below", "above"] | None = None
    """``below``: always run together with the layer below, from which no cut parts it. ``above``: no cut between frozen
    and trained layers parts it from the layer above, whose adapter it is."""

    reads_first: bool = False
    """Whether it takes only the first token of what the layer below returns: [B, D] of [B, T, D]."""

    in_float32: bool = False
    """Whether it computes in float32 whatever the precision of products is."""

    changes_above: bool = False
    """Whether it changes the arrays of the layer above it (``changed``) and passes on what it gets: both are run
    together, whatever is trained."""

    is_residual: bool = False
    """Whether one with ``identity`` passes on what it gets: only such a layer can be added to a model."""

    may_be_absent: bool = False
    """Whether its slot may be empty in a program that has one: then what it would get is passed on, and nothing is
    computed. With nothing but its padding in it, a slot passes on what it gets, too."""

    fitted: Literal["grow", "interpolate"] = "grow"
    """How arrays of another size are made to fit: they grow, and the layer computes the same, or are interpolated."""

    @abstractmethod
    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns the shape of what the layer takes, for one example."""

    @abstractmethod
    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns the shape of what the layer returns, for one example."""

    @abstractmethod
    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns shape and number type of the layer's arrays by name, without making them."""

    @abstractmethod
    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns first parameters, float32; with ``identity`` a residual layer passes on what it gets.

        The order in which ``rng`` is drawn from is part of what a kind is: the same seed gives the same models.
        """

    @abstractmethod
    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns ``arrays``, of a layer of this kind and another size, made to fit ``spec``.

        Raises:
            InvalidInputError: they cannot be.
        """

    @abstractmethod
    def apply(
        self, spec: LayerSpec, params: Params, x: jax.Array, *, dtype: jnp.dtype, first_only: bool = False
    ) -> jax.Array:
        """Returns what the layer makes of ``x`` [B, *takes], in ``dtype``: [B, *gives].

        Args:
            spec: of the layer.
            params: of the layer.
            x: of whatever number type.
            dtype: of its products.
            first_only: of the tokens it returns only the first is read: the others may be left out.
        """

    def changed(self, spec: LayerSpec, params: Params, above: Params) -> Params:
        """Returns the arrays that the layer above is run with in place of ``above``, its own; of one that changes it.

        Args:
            spec: of this layer.
            params: of this layer.
            above: of the layer above.
        """
        del spec, params
        return above

    @abstractmethod
    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns the floating-point operations of one example: 2 per multiply-add of dense products."""

    def roomy(self, spec: LayerSpec) -> LayerSpec:
        """Returns the slot of a layer: itself, or a larger one that others fit into as well.

        In it a layer's arrays are padded at the end of every axis; what it gives is the same, padded likewise.
        """
        return spec

    def padding(self, spec: LayerSpec, array: str) -> float:
        """Returns what an array is padded with in its slot, such that training leaves the padding as it is."""
        del spec, array
        return 0.0

    def activations(self, spec: LayerSpec) -> int:
        """Returns how many numbers it computes for one example where these are most: about what memory it needs."""
        return prod(self.gives(spec))


def by_name(*kinds: LayerKind) -> Mapping[str, LayerKind]:
    """Returns kinds by name, as a family lists them."""
    return {kind.name: kind for kind in kinds}
