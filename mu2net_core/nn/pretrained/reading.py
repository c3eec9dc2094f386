"""Reading a published model as layers of ours.

Four things become part of the weights, as the model computes the same with them: how pixels are prepared (of the patch
embedding), LayerScale (of the product before it), biases and a class token's position that are not there (zeros).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from mu2net_core.nn.checkpoint import POSITIONS, Shapes
from mu2net_core.nn.options import options_of
from mu2net_core.nn.positions import resize_positions
from mu2net_core.nn.pretrained.arrays import PublishedArrays, is_square
from mu2net_core.nn.pretrained.files import ModelFiles
from mu2net_core.nn.pretrained.huggingface import MODEL_TYPE, read_huggingface
from mu2net_core.nn.pretrained.layers import PublishedLayers
from mu2net_core.nn.pretrained.timm import read_timm
from mu2net_core.objects import Limits
from mu2net_core.tensors import open_tensors

__all__ = ["PublishedModel", "open_published"]

_MIDDLE = 127.5  # a byte is so often (1 + what the patch embedding gets for it)
_POOLER = "pooler.dense.weight"


@contextmanager
def open_published(files: ModelFiles, *, limits: Limits) -> Iterator[PublishedModel]:
    """Yields the model in ``files``, of which config and headers were read and found right.

    Raises:
        NotFoundError: a file is not there.
        CorruptObjectError: a file is damaged, or over the limits.
        InvalidInputError: it is a model that cannot be represented; the reason is told.
    """
    said = read_huggingface(files) if MODEL_TYPE in files.config else read_timm(files)
    with open_tensors(files.weights, limits=limits) as tensors:
        yield PublishedModel(files, PublishedArrays(files.where, said, tensors, limits), limits)


class PublishedModel(PublishedLayers):
    """A vision transformer of another library; its positions are interpolated to the grid that is asked for."""

    def __init__(self, files: ModelFiles, arrays: PublishedArrays, limits: Limits) -> None:
        super().__init__(files.where, limits)
        self.title, self.sizes, self.num_blocks = arrays.said.title, arrays.sizes, arrays.num_blocks
        self.options = options_of(arrays.said.options)
        self._arrays = arrays

    def layer(self, name: str, shapes: Shapes) -> Mapping[str, np.ndarray] | None:
        """Returns the arrays of a layer that is no block; None if the model has nothing of the kind."""
        match name:
            case "patch_embedding":
                return self._patches()
            case "class_token":
                return {"cls": self._arrays.read(self._arrays.said.names.class_token)}
            case "position_embedding":
                return {POSITIONS: self._positions(shapes[POSITIONS][1])}
            case "encoder_norm":
                return self._pair(self._arrays.norm, "")
        return None

    def _patches(self) -> dict[str, np.ndarray]:
        """Returns the embedding of bytes from -1 to 1 that is the same as theirs of prepared pixels.

        Theirs get (f x - m) / s of a byte x, where ours gets x / 127.5 - 1.
        """
        names, pixels = self._arrays.said.names, self._arrays.said.pixels
        kernel = self._arrays.read(f"{names.patches}.weight").transpose(2, 3, 1, 0).astype(np.float64)
        mean, std = (np.broadcast_to(values, kernel.shape[2]) for values in (pixels.mean, pixels.std))
        middle = _MIDDLE * pixels.factor
        shift = np.einsum("pqcd,c->d", kernel, (middle - mean) / std)
        return {"kernel": kernel * (middle / std)[:, None], "bias": self._arrays.read(f"{names.patches}.bias") + shift}

    def _positions(self, tokens: int) -> np.ndarray:
        stored = self._arrays.read(self._arrays.said.names.positions)
        if is_square(stored.shape[1]):
            stored = np.concatenate([np.zeros_like(stored[:, :1]), stored], axis=1)
        return resize_positions(stored, tokens, self._arrays.said.interpolation)

    def block(self, number: int) -> Mapping[str, np.ndarray]:
        """Returns the arrays of a block, in which a product has two sides."""
        names = self._arrays.said.names
        block = names.block.format(number)
        products = [self._product(block + theirs) for theirs in names.query_key_value]
        joined = [np.split(np.concatenate(arrays, axis=-1), 3, axis=-1) for arrays in zip(*products, strict=True)]
        arrays = {
            f"attention/{ours}/{array}": part
            for array, parts in zip(("kernel", "bias"), joined, strict=True)
            for ours, part in zip(("query", "key", "value"), parts, strict=True)
        }
        for ours, theirs, scale in (
            ("attention/out", names.out, names.scales[0]),
            ("dense_0", names.mlp[0], ""),
            ("dense_1", names.mlp[1], names.scales[1]),
        ):
            factor = self._arrays.read(block + scale) if scale and self._arrays.has(block + scale) else np.float32(1)
            kernel, bias = self._product(block + theirs)
            arrays |= {f"{ours}/kernel": kernel * factor, f"{ours}/bias": bias * factor}
        return (
            arrays
            | self._pair(block + names.norm_attention, "norm_attention/")
            | self._pair(block + names.norm_mlp, "norm_mlp/")
        )

    def _product(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns kernel [inputs, outputs] and bias [outputs] of a product."""
        kernel, has_bias = self._arrays.read(f"{name}.weight").T, self._arrays.has(f"{name}.bias")
        return kernel, self._arrays.read(f"{name}.bias") if has_bias else np.zeros(kernel.shape[1], np.float32)

    def _pair(self, theirs: str, ours: str) -> dict[str, np.ndarray]:
        """Returns scale and bias of a normalisation."""
        read = self._arrays.read
        return {f"{ours}scale": read(f"{theirs}.weight"), f"{ours}bias": read(f"{theirs}.bias")}

    def remarks(self, shapes: Mapping[str, Shapes]) -> Iterator[str]:
        """Yields what of the model is not taken as it is, in sentences."""
        yield from self._arrays.said.remarks
        yield from super().remarks(shapes)
        positions, tokens = self._arrays.num_positions, shapes["position_embedding"][POSITIONS][1]
        positions += is_square(positions)
        if positions != tokens:
            yield f"Interpolated {positions} positions to {tokens}"
        if self._arrays.has(_POOLER):
            yield "Left out the pooler: the head stands on the normalised class token itself"
