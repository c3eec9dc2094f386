"""Reading encoders of texts of the ``transformers`` library, BERT and RoBERTa, as layers of ours.

Two things become part of the positions, as the model computes the same with them: the embedding of the first kind of
sentence, and that RoBERTa begins to count its places at 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from blake3 import blake3

from mu2net_core.nn.checkpoint import Shapes
from mu2net_core.nn.options import options_of
from mu2net_core.nn.pretrained.arrays import AGAIN, check_arrays, pair
from mu2net_core.nn.pretrained.config import Config
from mu2net_core.nn.pretrained.files import ModelFiles
from mu2net_core.nn.pretrained.huggingface import MODEL_TYPE
from mu2net_core.nn.pretrained.layers import PublishedLayers
from mu2net_core.nn.pretrained.published import unfit
from mu2net_core.objects import Limits
from mu2net_core.tensors import Tensors, open_tensors
from mu2net_core.tokenizing import checked_tokenizer

__all__ = ["PublishedText", "is_text", "open_published_text"]

_TITLES: Mapping[str, str] = {"bert": "BERT", "roberta": "RoBERTa"}
_UNCOUNTED: Mapping[str, int] = {"bert": 0, "roberta": 2}
"""Positions at the beginning that no token has."""

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
    kind = files.config.get(MODEL_TYPE)
    return isinstance(kind, str) and kind in _TITLES


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


class PublishedText(PublishedLayers):
    """An encoder of texts of another library; which tokenizer it has is among its options."""

    def __init__(self, files: ModelFiles, tensors: Tensors, limits: Limits) -> None:
        super().__init__(files.where, limits)
        config = Config(where=files.where, values=files.config, another=_OTHER)
        kind = str(config.values.get(MODEL_TYPE))
        if kind not in _TITLES:
            raise config.wrong(MODEL_TYPE, f"one of {', '.join(_TITLES)}")
        if config.values.get("position_embedding_type", "absolute") != "absolute" or config.flag(
            "is_decoder", usual=False
        ):
            raise config.refuse("its places are not absolute, or it is a decoder: models here read whole texts")
        self.title, self.num_blocks = f"Hugging Face {_TITLES[kind]}", config.size("num_hidden_layers", 12)
        self._tensors, self._skipped = tensors, _UNCOUNTED[kind]
        self._prefix = next((p for p in (f"{kind}.", "") if f"{p}{_NORM}.weight" in tensors.names), "")
        width, words = config.size("hidden_size", 768), config.size("vocab_size", 30522)
        self._heads, self._kinds = config.size("num_attention_heads", 12), config.size("type_vocab_size", 2)
        self._rows = config.size("max_position_embeddings", 512)
        self.sizes = {
            "width": width,
            "heads": self._heads,
            "mlp": config.size("intermediate_size", 3072),
            "vocabulary": words,
            "positions": self._rows - self._skipped,
        }
        if width % self._heads or self._rows <= self._skipped:
            raise unfit(self._where, f"{self._heads} heads of a width of {width}, and {self._rows} positions", AGAIN)
        if files.tokenizer is None:
            raise unfit(self._where, "there is no tokenizer.json, and texts mean nothing to it without one", _OTHER)
        self.tokenizer = checked_tokenizer(files.tokenizer, words, str(files.where))
        pooling = "mean" if (files.pooling or {}).get("pooling_mode_cls_token") is not True else "first"
        said = {"gelu": config.gelu("hidden_act"), "epsilon": config.number("layer_norm_eps", 1e-12)}
        self.options = {
            **options_of({**said, "pooling": pooling}),
            "tokenizer": blake3(self.tokenizer).hexdigest(),
            "tokenizer_bytes": len(self.tokenizer),
        }
        self._check()

    def layer(self, name: str, shapes: Shapes) -> Mapping[str, np.ndarray] | None:
        """Returns the arrays of a layer that is no block; None if the model has nothing of the kind."""
        del shapes
        if name == "token_embedding":
            words, places, kinds = (self._read(f"embeddings.{name}_embeddings.weight") for name in _EMBEDDINGS.values())
            text = np.frombuffer(self.tokenizer, np.uint8).astype(np.float32)
            table = {"words": words, "positions": places[self._skipped :] + kinds[:1], "tokenizer": text}
            return {**table, **self._pair(_NORM, "norm")}
        if name == "token_pooling":  # normalises the mean, which no published model does: it begins with nothing known
            width = self.sizes["width"]
            return {"scale": np.ones(width, np.float32), "bias": np.zeros(width, np.float32)}
        return None

    def block(self, number: int) -> Mapping[str, np.ndarray]:
        """Returns the arrays of a block, in which a product has two sides."""
        block, arrays = f"encoder.layer.{number}.", dict[str, np.ndarray]()
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
        left_out = tuple(prefix + name for prefix in {"", self._prefix} for name in _LEFT_OUT)
        check_arrays(self._where, self._tensors, expected, {}, left_out=left_out, other=_OTHER)

    def _expected(self) -> Shapes:
        width, mlp = self.sizes["width"], self.sizes["mlp"]
        rows = {"words": self.sizes["vocabulary"], "positions": self._rows, "types": self._kinds}
        shapes: dict[str, tuple[int, ...]] = {
            f"embeddings.{_EMBEDDINGS[name]}_embeddings.weight": (count, width) for name, count in rows.items()
        }
        shapes |= pair(_NORM, (width,))
        if self.num_blocks > self._limits.layers:
            raise unfit(self._where, f"it says that it has {self.num_blocks} blocks", AGAIN)
        sides = dict.fromkeys(_PRODUCTS, (width, width)) | {"dense_0": (mlp, width), "dense_1": (width, mlp)}
        for k in range(self.num_blocks):
            for ours, theirs in _PRODUCTS.items():
                shapes |= pair(f"encoder.layer.{k}.{theirs}", sides[ours])
            for theirs in _NORMS.values():
                shapes |= pair(f"encoder.layer.{k}.{theirs}", (width,))
        return shapes
