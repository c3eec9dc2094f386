"""The arrays of a published model: which must be there, in which shapes, and whether they are.

All of it is known of headers alone, before any numbers are read. An array that nobody expects is refused, as it says
that the model computes something else than its name and config tell.
"""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import numpy as np

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.checkpoint import MOST_POSITIONS, Shapes
from mu2net_core.nn.pretrained.published import Published, unfit
from mu2net_core.objects import Limits
from mu2net_core.tensors import Tensors

__all__ = ["AGAIN", "PublishedArrays", "check_arrays", "is_square", "pair"]

AGAIN = "Get the model again: its config and its weights are of different ones."
"""What to do about a model whose parts do not fit together."""

_FLOATS = frozenset({"F32", "F16", "BF16"})
_OTHER = "Choose another model: a plain ViT, DeiT or DINOv2."


class PublishedArrays:
    """Arrays by the library's names, without what may stand before them, all there in their shapes.

    Attributes:
        said: what the model's config says.
        norm: what the last normalisation is called.
        sizes: as an architecture calls them.
        num_blocks: how many blocks there are.
        num_positions: how many positions, with that of the class token or without.
    """

    def __init__(self, where: Path, said: Published, tensors: Tensors, limits: Limits) -> None:
        self.said, self._where, self._tensors = said, where, tensors
        names = said.names
        self._prefix = next((p for p in names.prefixes if f"{p}{names.patches}.weight" in tensors.names), "")
        self.norm = names.norm_of_mean if said.options.get("pooling") == "mean" else names.norm
        self._refuse_known()
        self.num_blocks = next(k for k in range(limits.layers + 1) if not self.has(self._begin_of(k)))
        self.sizes = self._measured()
        self.num_positions = self._counted()
        self._check()

    def read(self, name: str) -> np.ndarray:
        """Returns an array that is there, as float32; raises CorruptObjectError if its numbers are not finite."""
        return self._tensors.read(self._prefix + name)

    def has(self, name: str) -> bool:
        """Returns whether an array is there."""
        return self._prefix + name in self._tensors.names

    def _shape(self, name: str) -> tuple[int, ...]:
        return self._tensors.shape(self._prefix + name) if self.has(name) else ()

    def _refuse_known(self) -> None:
        for name, why in self.said.names.refused.items():
            if any(found.startswith(self._prefix + name) for found in self._tensors.names):
                raise unfit(self._where, why, _OTHER)

    def _begin_of(self, k: int) -> str:
        return f"{self.said.names.block.format(k)}{self.said.names.norm_attention}.weight"

    def _measured(self) -> dict[str, int]:
        """Returns the sizes that the arrays have, which must be those that the config says."""
        names, said = self.said.names, self.said
        kernel = self._needed(f"{names.patches}.weight", sides=4)
        mlp = self._needed(f"{names.block.format(0)}{names.mlp[0]}.weight", sides=2)
        width, channels, patch, other = kernel
        sizes = {"patch": patch, "width": width, "heads": said.heads, "mlp": mlp[0], "channels": channels}
        for name, size in said.sizes.items():
            if (found := {**sizes, "blocks": self.num_blocks}[name]) != size:
                raise self._misfit(f"its config says that {name} is {size}, and the weights that it is {found}")
        if patch != other or width % said.heads:
            raise self._misfit(f"patches of {patch} x {other} pixels and {said.heads} heads of a width of {width}")
        if {len(said.pixels.mean), len(said.pixels.std)} - {1, channels}:
            raise self._misfit(f"the mean or the deviation of its pixels is not of {channels} channels")
        return sizes

    def _counted(self) -> int:
        _, number, _ = self._needed(self.said.names.positions, sides=3)
        if not 1 < number <= MOST_POSITIONS or not (is_square(number) or is_square(number - 1)):
            raise self._misfit(f"its {number} positions are of no square grid of patches", _OTHER)
        return number

    def _needed(self, name: str, *, sides: int) -> tuple[int, ...]:
        """Returns the shape of an array that tells sizes."""
        if not self.has(name):
            raise self._lacks(name)
        shape = self._shape(name)
        if len(shape) != sides or not all(shape):
            raise self._misfit(f"{name}: expected {sides} sides above 0, found {list(shape)}")
        return shape

    def _check(self) -> None:
        """Checks that every array is there, in its shape, and no other than these."""
        needed, optional = (
            {self._prefix + name: shape for name, shape in shapes.items()} for shapes in self._expected()
        )
        left_out = tuple(prefix + name for prefix in {"", self._prefix} for name in self.said.names.left_out)
        check_arrays(self._where, self._tensors, needed, optional, left_out=left_out, other=_OTHER)

    def _expected(self) -> tuple[Shapes, Shapes]:
        """Returns the shapes of the arrays that must be there, and of those that may be."""
        names, width = self.said.names, self.sizes["width"]
        patches = (width, self.sizes["channels"], self.sizes["patch"], self.sizes["patch"])
        needed = {
            **pair(names.patches, patches),
            names.class_token: (1, 1, width),
            names.positions: (1, self.num_positions, width),
            **pair(self.norm, (width,)),
        }
        optional = dict[str, tuple[int, ...]]()
        for k in range(self.num_blocks):
            block = names.block.format(k)
            for name in (names.norm_attention, names.norm_mlp):
                needed |= pair(block + name, (width,))
            for name, shape in self._products().items():
                needed[f"{block}{name}.weight"] = shape
                optional[f"{block}{name}.bias"] = shape[:1]
            optional |= {block + name: (width,) for name in names.scales}
        return needed, optional

    def _products(self) -> Shapes:
        """Returns the shapes [outputs, inputs] of a block's products."""
        names, width, mlp = self.said.names, self.sizes["width"], self.sizes["mlp"]
        outputs = 3 * width // len(names.query_key_value)
        return {
            **dict.fromkeys(names.query_key_value, (outputs, width)),
            names.out: (width, width),
            names.mlp[0]: (mlp, width),
            names.mlp[1]: (width, mlp),
        }

    def _lacks(self, name: str) -> InvalidInputError:
        return _lacking(self._where, self._tensors, self._prefix + name)

    def _misfit(self, why: str, hint: str = AGAIN) -> InvalidInputError:
        return unfit(self._where, why, hint)


def check_arrays(
    where: Path, tensors: Tensors, needed: Shapes, optional: Shapes, *, left_out: tuple[str, ...], other: str
) -> None:
    """Checks that the arrays of a model are there, in their shapes, and no others.

    Args:
        where: the model, for messages.
        tensors: that it has.
        needed: the shapes of those that must be there.
        optional: of those that may be.
        left_out: beginnings of the names of others that may be, and are not looked at.
        other: what to do about a model that has more than these.

    Raises:
        InvalidInputError: they are not.
    """
    for name, shape in {**needed, **optional}.items():
        if name in tensors.names:
            _check_one(where, tensors, name, shape)
        elif name in needed:
            raise _lacking(where, tensors, name)
    unknown = sorted(tensors.names - {*needed, *optional})
    if unknown := [name for name in unknown if not name.startswith(left_out)]:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise unfit(where, f"it has {unknown[0][:80]}{more}, so it computes something that models here cannot", other)


def _check_one(where: Path, tensors: Tensors, name: str, shape: tuple[int, ...]) -> None:
    if (kind := tensors.dtype(name)) not in _FLOATS:
        raise unfit(where, f"{name}: expected F32, F16 or BF16, found {kind[:80]}", "Convert it.")
    if (found := tensors.shape(name)) != shape:
        raise unfit(where, f"{name}: expected {list(shape)}, found {list(found)}", AGAIN)


def _lacking(where: Path, tensors: Tensors, name: str) -> InvalidInputError:
    found = ", ".join(sorted(tensors.names)[:3])[:200] or "nothing"
    return unfit(where, f"it lacks {name}; found {found}, {len(tensors.names)} arrays in all", AGAIN)


def is_square(number: int) -> bool:
    """Returns whether so many positions are a grid without that of a class token."""
    return number > 0 and isqrt(number) ** 2 == number


def pair(name: str, weight: tuple[int, ...]) -> Shapes:
    """Returns the shapes of a weight and of its bias."""
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}
