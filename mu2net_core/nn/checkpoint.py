"""Public checkpoints of vision transformers, read as layers of ours.

The files are those of google-research/vision_transformer (``vit_jax/checkpoint.py`` there writes and reads them), the
AugReg ones of Steiner et al., 2021 among them: NumPy archives whose names spell the path of a Flax module. Two
versions of Flax numbered the modules of a block differently, and both kinds of files are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.nn.positions import resize_positions
from mu2net_core.npz import Npz, open_npz
from mu2net_core.objects import LIMITS, Limits

__all__ = ["BLOCK", "MOST_POSITIONS", "POSITIONS", "Checkpoint", "Shapes", "check_total", "read_checkpoint"]

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of a layer's arrays by name."""

_LAYERS = {
    "patch_embedding": "embedding/",
    "class_token": "",
    "position_embedding": "Transformer/posembed_input/",
    "encoder_norm": "Transformer/encoder_norm/",
    "head": "head/",
}
BLOCK = re.compile(r"encoderblock_[0-9]+")
_THEIR_BLOCK = re.compile(r"Transformer/encoderblock_([0-9]{1,6})/")
_NUMBERED = ("MultiHeadDotProductAttention_1", "LayerNorm_2", "MlpBlock_3")
_NUMBERED_ANEW = ("MultiHeadDotProductAttention_0", "LayerNorm_1", "MlpBlock_0")
POSITIONS = "pos_embedding"
MOST_POSITIONS = 1 + 256**2
_AXES: Mapping[str, tuple[str, ...]] = {
    "patch_embedding/kernel": ("patch size", "patch size", "channels", "width"),
    "attention/query/kernel": ("width", "heads", "width of a head"),
    "dense_0/kernel": ("width", "MLP width"),
    "head/kernel": ("width", "classes"),
}
_ANOTHER = "Choose a preset of that size (mu2net init --preset NAME), or a checkpoint that fits."


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What was taken from a file.

    Attributes:
        layers: float32 arrays by name, by layer.
        remarks: what of the file was not taken as it is, in sentences.
    """

    layers: Mapping[str, Mapping[str, np.ndarray]]
    remarks: tuple[str, ...]


def read_checkpoint(path: Path, shapes: Mapping[str, Shapes], *, limits: Limits = LIMITS) -> Checkpoint:
    """Returns the layers named in ``shapes`` from the checkpoint at ``path``.

    Of more blocks than asked for the first are taken; positions are interpolated to the grid asked for; numbers of
    half precision are widened; ``pre_logits``, which a class token's model does without, is left out.

    Args:
        path: of a NumPy archive, trusted in nothing.
        shapes: what the architecture needs.
        limits: how much is accepted.

    Raises:
        NotFoundError: there is no such file.
        CorruptObjectError: it is no archive of finite numbers, or over the limits.
        InvalidInputError: it is of another architecture, or lacks something.
    """
    check_total(shapes, limits)
    with open_npz(path, limits=limits) as archive:
        if archive.size_bytes > limits.checkpoint_bytes:
            raise CorruptObjectError(
                f"Cannot read {path}: it has {archive.size_bytes} bytes, over the limit of {limits.checkpoint_bytes}.",
                hint="If you trust it: mu2net config set limits.checkpoint_bytes NUMBER",
            )
        reader = _Reader(archive)
        reader.check_blocks(sum(BLOCK.fullmatch(layer) is not None for layer in shapes))
        keys = {(layer, name): reader.key(layer, name) for layer, arrays in shapes.items() for name in arrays}
        reader.check_all(keys, shapes)
        layers = {
            layer: {name: reader.array(keys[layer, name], name, shape) for name, shape in arrays.items()}
            for layer, arrays in shapes.items()
        }
        return Checkpoint(layers=layers, remarks=tuple(reader.remarks(shapes)))


def check_total(shapes: Mapping[str, Shapes], limits: Limits) -> None:
    """Checks that layers of these shapes are together not over the limit.

    Raises:
        InvalidInputError: they are.
    """
    total = 4 * sum(prod(shape) for layer in shapes.values() for shape in layer.values())
    if total > limits.model_bytes:
        raise InvalidInputError(
            f"Cannot make a root of {total} bytes: the limit is {limits.model_bytes}.",
            hint="If that is meant: mu2net config set limits.model_bytes NUMBER",
        )


class _Reader:
    """Knows where our arrays lie in one archive, and whether they can be right."""

    def __init__(self, archive: Npz) -> None:
        self.archive = archive
        self.names = frozenset(archive.names)
        numbers = {int(match[1]) for name in self.names if (match := _THEIR_BLOCK.match(name))}
        self.num_blocks = next(k for k in range(len(numbers) + 1) if k not in numbers)
        anew = any(f"/{_NUMBERED_ANEW[0]}/" in name for name in self.names)
        attention, norm, mlp = _NUMBERED_ANEW if anew else _NUMBERED
        self._within = {
            "norm_attention": "LayerNorm_0",
            "attention": attention,
            "norm_mlp": norm,
            "dense_0": f"{mlp}/Dense_0",
            "dense_1": f"{mlp}/Dense_1",
        }

    def key(self, layer: str, name: str) -> str:
        """Returns what an array of ours is called in the file."""
        if layer in _LAYERS:
            return _LAYERS[layer] + name
        module, _, rest = name.partition("/")
        if BLOCK.fullmatch(layer) and module in self._within:
            return f"Transformer/{layer}/{self._within[module]}/{rest}"
        raise InvalidInputError(
            f"Cannot make a root of {self.archive.path}: no public checkpoint has {layer}/{name}.",
            hint="Such roots can only be made from the presets of vision transformers, without adapters.",
        )

    def check_blocks(self, wanted: int) -> None:
        """Checks that the file has enough blocks."""
        if "embedding/kernel" in self.names and self.num_blocks < wanted:
            raise self._misfit(
                f"it has {self.num_blocks} blocks, and {wanted} are asked for",
                "A smaller default.num_layers would fit.",
            )

    def check_all(self, keys: Mapping[tuple[str, str], str], shapes: Mapping[str, Shapes]) -> None:
        """Checks, before any numbers are read, that every array is there and as it must be."""
        missing = sorted(set(keys.values()) - self.names)
        if missing:
            found = ", ".join(name[:80] for name in sorted(self.names)[:4]) or "nothing"
            raise self._misfit(
                f"expected {missing[0]}{f' and {len(missing) - 1} more' * (len(missing) > 1)}; found {found}, "
                f"{len(self.names)} arrays in all",
                "Expected is a vision transformer with a class token, as google-research/vision_transformer stores it.",
            )
        for (layer, name), key in sorted(keys.items(), key=lambda item: not _axes(*item[0])):
            self._check(key, layer, name, shapes[layer][name])

    def array(self, key: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Returns an array that was checked, as float32 of ``shape``."""
        stored = self.archive.read(key)
        array = _widened(stored)
        if not np.isfinite(array).all():
            raise CorruptObjectError(
                f"Cannot make a root of {self.archive.path}: {key} holds numbers that are not finite.",
                hint="Such a model cannot compute anything: get the file again, or choose another.",
            )
        return np.ascontiguousarray(resize_positions(array, shape[1]) if name == POSITIONS else array)

    def remarks(self, shapes: Mapping[str, Shapes]) -> Iterator[str]:
        """Yields what of the file was not taken as it is."""
        taken = sum(BLOCK.fullmatch(layer) is not None for layer in shapes)
        if taken < self.num_blocks:
            yield f"Took the first {taken} of {self.num_blocks} blocks"
        wanted = shapes.get("position_embedding", {}).get(POSITIONS)
        there = self._positions()
        if wanted is not None and there not in (None, wanted[1]):
            yield f"Interpolated {there} positions to {wanted[1]}"
        if any(name.startswith("pre_logits/") for name in self.names):
            yield "Left out pre_logits: the head stands on the class token itself"

    def _positions(self) -> int | None:
        key = _LAYERS["position_embedding"] + POSITIONS
        return self.archive.header(key).shape[1] if key in self.names else None

    def _check(self, key: str, layer: str, name: str, wanted: tuple[int, ...]) -> None:
        header = self.archive.header(key)
        if not _is_float(header.dtype):
            raise self._misfit(f"{key}: expected float32, float16 or bfloat16, found {header.dtype}", "Convert it.")
        found = header.shape
        if name == POSITIONS and len(found) == 3 and 1 < found[1] <= MOST_POSITIONS:
            wanted = (wanted[0], found[1], *wanted[2:])
        if found != wanted:
            differing = [
                f"{axis} {there} instead of {here}"
                for axis, there, here in zip(_axes(layer, name), found, wanted, strict=False)
                if there != here
            ]
            words = f" ({', '.join(dict.fromkeys(differing))})" if differing else ""
            raise self._misfit(f"{key}: expected {list(wanted)}, found {list(found)}{words}", _ANOTHER)
        if name == POSITIONS:
            _check_grid(found[1], self.archive.path)

    def _misfit(self, why: str, hint: str) -> InvalidInputError:
        return InvalidInputError(f"Cannot make a root of {self.archive.path}: {why}.", hint=hint)


def _axes(layer: str, name: str) -> tuple[str, ...]:
    """Returns what the sides of an array are called; none for those that tell nothing new."""
    return _AXES.get(f"{layer}/{name}") or _AXES.get(name, ())


def _check_grid(positions: int, path: Path) -> None:
    try:
        resize_positions(np.zeros((1, positions, 1), np.float32), 2)
    except InvalidInputError as exc:
        raise InvalidInputError(f"Cannot make a root of {path}: {exc.message}", hint=_ANOTHER) from exc


def _is_float(dtype: np.dtype) -> bool:
    return (dtype.kind == "f" and dtype.itemsize in {2, 4}) or dtype == np.dtype("V2")


def _widened(array: np.ndarray) -> np.ndarray:
    """Returns an array as float32; NumPy stores bfloat16, which it does not know, as two bytes of anything."""
    if array.dtype == np.dtype("V2"):
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)
