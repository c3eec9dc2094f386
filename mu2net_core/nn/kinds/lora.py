"""Low-rank changes of a block's matrices, so that a task can bend what a block computes (Hu et al., 2022: LoRA).

To the kernel of each product of the block above is added A B, of a small rank. That takes less than adding to what
comes out of the product, as a batch has more tokens than a kernel has rows, and the block need not know of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.kind import LayerKind
from mu2net_core.nn.kinds.drawing import glorot_uniform
from mu2net_core.nn.spec import Arrays, LayerSpec, Params, Shapes

__all__ = ["Lora"]

_ROOM = 16
"""The rank that slots have room for; higher ones take the next power of two."""

_KERNEL, _DOWN, _UP = "kernel", "down/kernel", "up/kernel"


class Lora(LayerKind):
    """Sizes: ``rank``, and of the block above ``width``, ``mlp`` and, if it attends, ``inner`` (of all its heads).

    ``tokens`` pass. It adds zeros while its ``up`` is zero, as every new one's is.
    """

    name = "lora"
    changes_above = True
    is_residual = True
    may_be_absent = True

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (spec.size("tokens"), spec.size("width"))

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return self.takes(spec)

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns those of two products for each kernel: from its inputs to ``rank`` numbers, and to its outputs."""
        rank, found = spec.size("rank"), dict[str, tuple[tuple[int, ...], str]]()
        for product, (inputs, outputs) in _products(spec).items():
            found[f"{product}/{_DOWN}"] = ((inputs, rank), "float32")
            found[f"{product}/{_UP}"] = ((rank, outputs), "float32")
        return found

    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns Glorot-uniform first kernels, drawn in the order of their names, and last ones of zeros."""
        del identity
        return {
            name: np.zeros(shape, np.float32)
            if name.endswith(_UP)
            else glorot_uniform(rng, shape, num_inputs=shape[0]).astype(np.float32)
            for name, (shape, _) in sorted(self.shapes(spec).items())
        }

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns ``arrays`` in larger shapes, such that A B is as it was, with zeros where the kernel grew.

        Raises:
            InvalidInputError: an array is larger than it should become.
        """
        fitted = {}
        for name, room in self.init(spec, rng).items():
            old = arrays[name]
            if any(size > most for size, most in zip(old.shape, room.shape, strict=True)):
                raise InvalidInputError(f"{name} {old.shape} does not fit into {room.shape}: layers never shrink.")
            rows, columns = old.shape
            grown = room.copy()
            grown[rows:, :columns] = 0
            grown[:rows, :columns] = old
            fitted[name] = grown
        return fitted

    def apply(
        self, spec: LayerSpec, params: Params, x: jax.Array, *, dtype: jnp.dtype, first_only: bool = False
    ) -> jax.Array:
        """Returns what it gets."""
        del spec, params, first_only
        return x.astype(dtype)

    def changed(self, spec: LayerSpec, params: Params, above: Params) -> Params:
        """Returns the arrays of the block above, its kernels with what is added to them."""
        changes: Mapping[str, jax.Array] = {
            f"{product}/{_KERNEL}": params[f"{product}/{_DOWN}"] @ params[f"{product}/{_UP}"]
            for product in _products(spec)
        }
        return {
            name: array + changes[name].reshape(array.shape) if name in changes else array
            for name, array in above.items()
        }

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: what it adds is computed once for all examples."""
        del spec, first_only
        return 0

    def roomy(self, spec: LayerSpec) -> LayerSpec:
        """Returns one of a higher rank; what is padded with zeros adds zeros, and no gradient reaches it."""
        return spec.enlarged("rank", _ROOM)


def _products(spec: LayerSpec) -> Mapping[str, tuple[int, int]]:
    """Returns inputs and outputs of the products that are changed, by what the block above calls them."""
    width, mlp, inner = spec.size("width"), spec.size("mlp"), spec.size("inner", 0)
    attention = {f"attention/{name}": (width, inner) for name in ("query", "key", "value")} if inner else {}
    mixed = {"attention/out": (inner, width)} if inner else {}
    return {**attention, **mixed, "dense_0": (width, mlp), "dense_1": (mlp, width)}
