"""The files of a published model: a folder with ``config.json`` and safetensors, in one file or several with an index.

Whoever made the folder is trusted in nothing: JSON is bounded, the index names files of the folder only, and no link
leads out of it. In the cache of Hugging Face, whose files are links, the model's whole part of the cache is the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import Limits

__all__ = ["PICKLES", "SAFETENSORS", "ModelFiles", "check_no_pickle", "model_files"]

SAFETENSORS = ".safetensors"
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
"""How files end that run the code of whoever made them."""

_CONFIG = "config.json"
_BESIDE = ("preprocessor_config.json", "tokenizer.json", "1_Pooling/config.json")
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.safetensors")
_BOTH = f"Expected a folder with {_CONFIG} and {_WEIGHTS}: hf download NAME --local-dir FOLDER brings both."


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A published model before its weights are opened.

    Attributes:
        where: the folder, or the file of weights that was named.
        config: what ``config.json`` says.
        preparation: what ``preprocessor_config.json`` says; None if there is none.
        tokenizer: what ``tokenizer.json`` holds; None if there is none.
        pooling: what ``1_Pooling/config.json`` says, as models of sentences have it; None if there is none.
        weights: the files of safetensors.
        paths: of all that were read or will be.
    """

    where: Path
    config: Mapping[str, Any]
    preparation: Mapping[str, Any] | None
    tokenizer: bytes | None
    pooling: Mapping[str, Any] | None
    weights: tuple[Path, ...]
    paths: tuple[Path, ...]


def model_files(where: Path, *, limits: Limits) -> ModelFiles:
    """Returns the files of the model in the folder ``where``, or of that file of safetensors.

    Raises:
        NotFoundError: there are none.
        InvalidInputError: there are only pickles, or a file lies elsewhere.
        CorruptObjectError: a file of JSON is none, or over the limits.
    """
    folder = where if where.is_dir() else where.parent
    weights = _weights(folder, limits) if where.is_dir() else (_inside(folder, where.name),)
    config = _inside(folder, _CONFIG)
    if not config.is_file():
        raise NotFoundError(f"Cannot make a root of {where}: there is no {config}.", hint=_BOTH)
    beside = {name: path for name in _BESIDE if (path := _inside(folder, name)).is_file()}
    preparation, tokenizer, pooling = (beside.get(name) for name in _BESIDE)
    return ModelFiles(
        where=where,
        config=_json(config, limits),
        preparation=None if preparation is None else _json(preparation, limits),
        tokenizer=None if tokenizer is None else _bounded(tokenizer, limits.manifest_bytes),
        pooling=None if pooling is None else _json(pooling, limits),
        weights=weights,
        paths=(config, *beside.values(), *weights),
    )


def check_no_pickle(name: str) -> None:
    """Checks that a file's name is not one of those that run code when they are read.

    Raises:
        InvalidInputError: it is.
    """
    if Path(name).suffix.lower() in PICKLES:
        raise InvalidInputError(
            f"Cannot make a root of {name}: it is a pickle, and reading one runs the code of whoever made it.",
            hint="Most models are there as safetensors, too: hf download NAME --local-dir FOLDER. If this one is not, "
            "and you trust it, convert it elsewhere with safetensors.torch.save_file.",
        )


def _weights(folder: Path, limits: Limits) -> tuple[Path, ...]:
    """Returns the files of a folder's weights."""
    if (whole := _inside(folder, _WEIGHTS)).is_file():
        return (whole,)
    if (index := _inside(folder, _INDEX)).is_file():
        return _shards(folder, index, limits)
    found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLES)
    if found:
        check_no_pickle(str(folder / found[0]))
    raise NotFoundError(f"Cannot make a root of {folder}: there is no {_WEIGHTS}, and no index of several.", hint=_BOTH)


def _shards(folder: Path, index: Path, limits: Limits) -> tuple[Path, ...]:
    """Returns the files that an index names: names alone, of files that lie beside it."""
    places = _json(index, limits).get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    if not names or len(names) > limits.members:
        raise CorruptObjectError(f"Cannot read {index}: expected a weight_map that names files.", hint=_BOTH)
    for name in names:
        if not _SHARD.fullmatch(name):
            raise CorruptObjectError(
                f"Cannot read {index}: expected names of {SAFETENSORS} beside it, found {name[:80]!r}.",
                hint="Such an index was made to reach other files: take the model from elsewhere.",
            )
    paths = tuple(_inside(folder, name) for name in names)
    if missing := next((path for path in paths if not path.is_file()), None):
        raise NotFoundError(f"Cannot make a root of {folder}: {index.name} names {missing.name}, which is not there.")
    return paths


def _inside(folder: Path, name: str) -> Path:
    """Returns the path of a file in a folder, which may be a link, but to nothing outside.

    Raises:
        InvalidInputError: it is one that leads out.
    """
    path, home = folder / name, folder.resolve()
    if home.parent.name == "snapshots" and home.parents[1].name.startswith("models--"):
        home = home.parents[1]
    if not path.resolve().is_relative_to(home):
        raise InvalidInputError(
            f"Cannot make a root of {folder}: {name} is a link to a file outside of the folder.",
            hint="Put the file itself there.",
        )
    return path


def _bounded(path: Path, limit: int) -> bytes:
    """Returns what is in a file, ``limit`` bytes at most."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as exc:
        raise CorruptObjectError(f"Cannot read {path}: {exc.strerror or exc}.") from exc
    if len(data) > limit:
        raise CorruptObjectError(
            f"Cannot read {path}: it has more bytes than the limit of {limit}.",
            hint="If you trust it: mu2net config set limits.manifest_bytes NUMBER",
        )
    return data


def _json(path: Path, limits: Limits) -> Mapping[str, Any]:
    """Returns the object in a file of JSON; nothing of what is no such object is told, as it may be any file."""
    try:
        value = msgspec.json.decode(_bounded(path, limits.manifest_bytes))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise CorruptObjectError(f"Cannot read {path}: it is no JSON.", hint=_BOTH) from exc
    if not isinstance(value, dict):
        raise CorruptObjectError(f"Cannot read {path}: expected an object of JSON.", hint=_BOTH)
    return value
