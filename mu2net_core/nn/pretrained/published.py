"""What a published model says of itself, whatever library it is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.positions import Interpolation

__all__ = ["DISTILLED", "REGISTERS", "Names", "Pixels", "Published", "unfit"]

DISTILLED = "it has a distillation token, and models here have no other token than the class token and those of patches"
REGISTERS = "it has register tokens, and models here have no other token than the class token and those of patches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a library calls the arrays of a vision transformer.

    Attributes:
        prefixes: what may stand before all of them.
        patches: of the projection of patches; it and the following have ``.weight`` and ``.bias``.
        norm: of the last normalisation.
        norm_of_mean: of the same where it is of the mean of all patches.
        class_token: of that token.
        positions: of their embedding.
        block: of block k, with its number for ``{}``; before all that follows.
        norm_attention: of the first normalisation.
        query_key_value: of the three products, or of the one that makes all three.
        out: of the product after attention.
        norm_mlp: of the second normalisation.
        mlp: of its two products.
        scales: of what the outputs of attention and MLP may be multiplied by (LayerScale), whole names.
        left_out: beginnings of the names of what only the library's own tasks need.
        refused: beginnings of the names of what cannot be represented, with the reason.
    """

    prefixes: tuple[str, ...]
    patches: str
    norm: str
    norm_of_mean: str
    class_token: str
    positions: str
    block: str
    norm_attention: str
    query_key_value: tuple[str, ...]
    out: str
    norm_mlp: str
    mlp: tuple[str, str]
    scales: tuple[str, str]
    left_out: tuple[str, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """How a library prepares pixels of 0 to 255: times ``factor``, less ``mean``, through ``std``, each per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    factor: float = 1 / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What is known of a model before its arrays are read.

    Attributes:
        title: of its kind, for messages.
        heads: of its attention.
        names: of its arrays.
        pixels: as it takes them.
        interpolation: of its positions to another size of images.
        options: how it computes where that is not as usual.
        sizes: what the config says of sizes, which the arrays must have.
        remarks: what of it is not taken as it is, in sentences.
    """

    title: str
    heads: int
    names: Names
    pixels: Pixels
    interpolation: Interpolation
    options: Mapping[str, str | float]
    sizes: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def unfit(where: object, why: str, hint: str) -> InvalidInputError:
    """Returns the error for a published model that no root can be made of."""
    return InvalidInputError(f"Cannot make a root of {where}: {why}.", hint=hint)
