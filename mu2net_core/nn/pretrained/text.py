"""Reading encoders of texts of the ``transformers`` library, BERT and RoBERTa, as layers of ours.

Two things become part of the positions, as the model computes the same with them: the embedding of the first kind of
sentence, and that RoBERTa begins to count its places at 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from blake3 import blake3

from mu2net_core.nn.checkpoint import BLOCK, Checkpoint, Shapes, check_total
from mu2net_core.nn.options import options_of
from mu2net_core.nn.pretrained.config import Config
from mu2net_core.nn.pretrained.files import ModelFiles
from mu2net_core.nn.pretrained.huggingface import MODEL_TYPE
from mu2net_core.nn.pretrained.published import unfit
from mu2net_core.objects import Limits
from mu2net_core.tensors import Tensors, open_tensors
from mu2net_core.tokenizing import checked_tokenizer

__all__ = ["PublishedText", "is_text", "open_published_text"]

_TITLES: Mapping[str, str] = {"bert": "BERT", "roberta": "RoBERTa"}
_UNCOUNTED: Mapping[str, int] = {"bert": 0, "roberta": 2}
"""Positions at the beginning that no token has."""

_FLOATS = frozenset({"F32", "F16", "BF16"})
_AGAIN = "Get the model again: its config and its weights are of different ones."
_OTHER = "Choose another model: BERT, MiniLM, RoBERTa and their like."
_LEFT_OUT = ("pooler.", "cls.", "lm_head.", "classifier.", "embeddings.position_ids", "embeddings.token_type_ids")
_EMBEDDINGS = {"words": "word", "positions": "position", "types": "token_type"}
_NORM = "embeddings.LayerNorm"
_PRODUCTS = {
    "attention/query": "attention.self.query",
    "attention/key": "attention.self.key",
    "attention/value": "attention.self.value",
    "attention/out": "attention.output.dense",
    "dense_0": "intermediate.dense",
    "dense_1": "output.dense",
}
_NORMS = {"norm_attention": "attention.output.LayerNorm", "norm_mlp": "output.LayerNorm"}


def is_text(files: ModelFiles) -> bool:
    """Returns whether a model's config says that it reads texts."""
    return files.config.get(MODEL_TYPE) in _TITLES


@contextmanager
def open_published_text(files: ModelFiles, *, limits: Limits) -> Iterator[PublishedText]:
    """Yields the encoder in ``files``, of which config, headers and tokenizer were read and found right.

    Raises:
        NotFoundError: a file is not there.
        CorruptObjectError: a file is damaged, or over the limits.
        InvalidInputError: it is a model that cannot be represented; the reason is told.
    """
    with open_tensors(files.weights, limits=limits) as tensors:
        yield PublishedText(files, tensors, limits)


class PublishedText:
    """An encoder of texts of another library.

    Attributes:
        title: of its kind, for messages.
        sizes: as an architecture calls them.
        num_blocks: how many blocks it has.
        options: how it computes where that is not as usual, and which tokenizer it has, as an architecture calls it.
    """

    def __init__(self, files: ModelFiles, tensors: Tensors, limits: Limits) -> None:
        config = Config(where=files.where, values=files.config)
        kind = str(config.values.get(MODEL_TYPE))
        if kind not in _TITLES:
            raise config.wrong(MODEL_TYPE, f"one of {', '.join(_TITLES)}")
        if config.values.get("position_embedding_type", "absolute") != "absolute" or config.flag(
            "is_decoder", usual=False
        ):
            raise config.refuse("its places are not absolute, or it is a decoder: models here read whole texts")
        self.title, self.num_blocks = f"Hugging Face {_TITLES[kind]}", config.size("num_hidden_layers", 12)
        self._where, self._tensors, self._limits, self._skipped = files.where, tensors, limits, _UNCOUNTED[kind]
        self._prefix = next((p for p in (f"{kind}.", "") if f"{p}{_NORM}.weight" in tensors.names), "")
        width, words = config.size("hidden_size", 768), config.size("vocab_size", 30522)
        self._heads, self._kinds = config.size("num_attention_heads", 12), config.size("type_vocab_size", 2)
        self._rows = config.size("max_position_embeddings", 512)
        self.sizes = {"width": width, "heads": self._heads, "mlp": config.size("intermediate_size", 3072)}
        self.sizes |= {"vocabulary": words, "positions": self._rows - self._skipped}
        if width % self._heads or self._rows <= self._skipped:
            raise unfit(self._where, f"{self._heads} heads of a width of {width}, and {self._rows} positions", _AGAIN)
        if files.tokenizer is None:
            raise unfit(self._where, "there is no tokenizer.json, and texts mean nothing to it without one", _OTHER)
        self.tokenizer = checked_tokenizer(files.tokenizer, words, str(files.where))
        pooling = "mean" if (files.pooling or {}).get("pooling_mode_cls_token") is not True else "first"
        said = {"gelu": config.gelu("hidden_act"), "epsilon": config.number("layer_norm_eps", 1e-12)}
        self.options: dict[str, str | float | int] = {
            **options_of({**said, "pooling": pooling}),
            "tokenizer": blake3(self.tokenizer).hexdigest(),
            "tokenizer_bytes": len(self.tokenizer),
        }
        self._check()

    def read(self, shapes: Mapping[str, Shapes]) -> Checkpoint:
        """Returns the layers named in ``shapes``, whose sizes are the model's; of more blocks the first are taken.

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
        remarks = [f"Took the first {taken} of {self.num_blocks} blocks"] if taken < self.num_blocks else []
        return Checkpoint(layers=layers, remarks=tuple(remarks))

    def _fitted(self, layer: str, shapes: Shapes) -> dict[str, np.ndarray]:
        arrays = self._layer(layer)
        return {name: np.ascontiguousarray(arrays[name].reshape(shape), np.float32) for name, shape in shapes.items()}

    def _layer(self, layer: str) -> dict[str, np.ndarray]:
        if layer == "token_embedding":
            words, places, kinds = (self._read(f"embeddings.{name}_embeddings.weight") for name in _EMBEDDINGS.values())
            text = np.frombuffer(self.tokenizer, np.uint8).astype(np.float32)
            table = {"words": words, "positions": places[self._skipped :] + kinds[:1], "tokenizer": text}
            return {**table, **self._pair(_NORM, "norm")}
        if layer == "text_pooling":  # normalises the mean, which no published model does: it begins with nothing known
            width = self.sizes["width"]
            return {"scale": np.ones(width, np.float32), "bias": np.zeros(width, np.float32)}
        if BLOCK.fullmatch(layer):
            return self._block(f"encoder.layer.{layer.rpartition('_')[2]}.")
        raise unfit(self._where, f"no published model has {layer}", "Begin with a preset that has no adapters.")

    def _block(self, block: str) -> dict[str, np.ndarray]:
        arrays = {}
        for ours, theirs in _PRODUCTS.items():
            arrays[f"{ours}/kernel"] = self._read(f"{block}{theirs}.weight").T
            arrays[f"{ours}/bias"] = self._read(f"{block}{theirs}.bias")
        for ours, theirs in _NORMS.items():
            arrays |= self._pair(block + theirs, ours)
        return arrays

    def _pair(self, theirs: str, ours: str) -> dict[str, np.ndarray]:
        return {f"{ours}/scale": self._read(f"{theirs}.weight"), f"{ours}/bias": self._read(f"{theirs}.bias")}

    def _read(self, name: str) -> np.ndarray:
        return self._tensors.read(self._prefix + name)

    def _check(self) -> None:
        """Checks that every array is there, in its shape, and no other than these."""
        expected = {self._prefix + name: shape for name, shape in self._expected().items()}
        for name, shape in expected.items():
            if name not in self._tensors.names:
                raise unfit(self._where, f"it lacks {name}, of {len(self._tensors.names)} arrays in all", _AGAIN)
            found, kind = self._tensors.shape(name), self._tensors.dtype(name)
            if found != shape or kind not in _FLOATS:
                why = f"{name}: expected {list(shape)} of F32, F16 or BF16, found {list(found)} of {kind[:80]}"
                raise unfit(self._where, why, _AGAIN)
        left_out = tuple(prefix + name for prefix in {"", self._prefix} for name in _LEFT_OUT)
        if unknown := sorted(name for name in self._tensors.names - set(expected) if not name.startswith(left_out)):
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            raise unfit(
                self._where, f"it has {unknown[0][:80]}{more}, so it computes something that models here cannot", _OTHER
            )

    def _expected(self) -> Shapes:
        width, mlp = self.sizes["width"], self.sizes["mlp"]
        rows = {"words": self.sizes["vocabulary"], "positions": self._rows, "types": self._kinds}
        shapes: dict[str, tuple[int, ...]] = {
            f"embeddings.{_EMBEDDINGS[name]}_embeddings.weight": (count, width) for name, count in rows.items()
        }
        shapes |= _pair(_NORM, (width,))
        if self.num_blocks > self._limits.layers:
            raise unfit(self._where, f"it says that it has {self.num_blocks} blocks", _AGAIN)
        sides = dict.fromkeys(_PRODUCTS, (width, width)) | {"dense_0": (mlp, width), "dense_1": (width, mlp)}
        for k in range(self.num_blocks):
            for ours, theirs in _PRODUCTS.items():
                shapes |= _pair(f"encoder.layer.{k}.{theirs}", sides[ours])
            for theirs in _NORMS.values():
                shapes |= _pair(f"encoder.layer.{k}.{theirs}", (width,))
        return shapes


def _pair(name: str, weight: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}
