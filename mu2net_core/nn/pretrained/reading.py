"""Reading a published model as layers of ours.

Four things become part of the weights, as the model computes the same with them: how pixels are prepared (of the patch
embedding), LayerScale (of the product before it), biases and a class token's position that are not there (zeros).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from mu2net_core.nn.checkpoint import BLOCK, POSITIONS, Checkpoint, Shapes, check_total
from mu2net_core.nn.options import options_of
from mu2net_core.nn.positions import resize_positions
from mu2net_core.nn.pretrained.arrays import PublishedArrays, is_square
from mu2net_core.nn.pretrained.files import ModelFiles
from mu2net_core.nn.pretrained.huggingface import MODEL_TYPE, read_huggingface
from mu2net_core.nn.pretrained.published import unfit
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


class PublishedModel:
    """A vision transformer of another library.

    Attributes:
        title: of its kind, for messages.
        sizes: as an architecture calls them.
        num_blocks: how many blocks it has.
        options: how it computes where that is not as usual, as an architecture calls it.
    """

    def __init__(self, files: ModelFiles, arrays: PublishedArrays, limits: Limits) -> None:
        self.title, self.sizes, self.num_blocks = arrays.said.title, arrays.sizes, arrays.num_blocks
        self.options = options_of(arrays.said.options)
        self._where, self._arrays, self._limits = files.where, arrays, limits

    def read(self, shapes: Mapping[str, Shapes]) -> Checkpoint:
        """Returns the layers named in ``shapes``, whose sizes are the model's.

        Of more blocks than asked for the first are taken; positions are interpolated to the grid asked for.

        Raises:
            InvalidInputError: there are fewer blocks, or no such layers.
            CorruptObjectError: numbers cannot be read, or are not finite.
        """
        check_total(shapes, self._limits)
        taken = sum(BLOCK.fullmatch(layer) is not None for layer in shapes)
        if taken > self.num_blocks:
            why = f"it has {self.num_blocks} blocks, and {taken} are asked for"
            raise unfit(self._where, why, "A smaller default.num_layers would fit.")
        layers = {layer: self._fitted(layer, arrays) for layer, arrays in shapes.items()}
        return Checkpoint(
            layers=layers, remarks=tuple(self._remarks(taken, shapes["position_embedding"][POSITIONS][1]))
        )

    def _fitted(self, layer: str, shapes: Shapes) -> dict[str, np.ndarray]:
        arrays = self._layer(layer, shapes)
        return {name: np.ascontiguousarray(arrays[name].reshape(shape), np.float32) for name, shape in shapes.items()}

    def _layer(self, layer: str, shapes: Shapes) -> dict[str, np.ndarray]:
        """Returns a layer's arrays, in which a product has two sides."""
        names = self._arrays.said.names
        match layer:
            case "patch_embedding":
                return self._patches()
            case "class_token":
                return {"cls": self._arrays.read(names.class_token)}
            case "position_embedding":
                return {POSITIONS: self._positions(shapes[POSITIONS][1])}
            case "encoder_norm":
                return self._pair(self._arrays.norm, "")
            case _ if BLOCK.fullmatch(layer):
                return self._block(names.block.format(layer.rpartition("_")[2]))
        raise unfit(self._where, f"no published model has {layer}", "Begin with a preset that has no adapters.")

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

    def _block(self, block: str) -> dict[str, np.ndarray]:
        names = self._arrays.said.names
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

    def _remarks(self, taken: int, tokens: int) -> Iterator[str]:
        yield from self._arrays.said.remarks
        if taken < self.num_blocks:
            yield f"Took the first {taken} of {self.num_blocks} blocks"
        positions = self._arrays.num_positions
        positions += is_square(positions)
        if positions != tokens:
            yield f"Interpolated {positions} positions to {tokens}"
        if self._arrays.has(_POOLER):
            yield "Left out the pooler: the head stands on the normalised class token itself"
