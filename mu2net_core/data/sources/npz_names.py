"""Which arrays of an archive are the images and the labels of which split, told by their names.

``x_train``, ``X_train``, ``trainX``, ``train_images``, ``train-data`` all mean the same; MedMNIST's and Keras' names
are among them. Nothing is guessed: names that could mean two things are an error, arrays that are not used are told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mu2net_core.errors import DataError
from mu2net_core.npz import Header

__all__ = ["Pairs", "described", "find_pairs"]

_ROLES = {
    **dict.fromkeys(("x", "xs", "image", "images", "img", "imgs", "data", "pixels", "features", "inputs"), "images"),
    **dict.fromkeys(("y", "ys", "label", "labels", "target", "targets"), "labels"),
}
_SPLITS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "va", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "te"), "test"),
}
_CLASSES = {"classes", "class_names", "classnames", "label_names", "target_names"}
_GLUED = re.compile(rf"([xy])({'|'.join(_SPLITS)})|({'|'.join(_SPLITS)})([xy])")
_POSITIONAL = re.compile(r"arr_[0-9]+")
_TOLD = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The names of (images, labels) by split, of the array of class names, and what else should be known."""

    splits: Mapping[str, tuple[str, str]]
    classes: str | None
    notes: tuple[str, ...]


def find_pairs(arrays: Mapping[str, Header], what: str) -> Pairs:
    """Returns which arrays to read: of ``train``, ``validation`` and ``test``, or of ``all``.

    Args:
        arrays: of the archive.
        what: names it in messages.

    Raises:
        DataError: there are no images with labels to train on, or several that could be meant.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name in arrays:
        meaning = _meaning(name)
        if meaning is not None:
            found.setdefault(meaning, []).append(name)
    chosen = {meaning: _only(meaning, names, arrays, what) for meaning, names in found.items()}
    splits = {
        split: (chosen[split, "images"], chosen[split, "labels"])
        for split in ("train", "validation", "test", "all")
        if (split, "images") in chosen and (split, "labels") in chosen
    }
    splits, notes = _consistent(splits)
    if not splits:
        raise _missing(arrays, chosen, what)
    classes = [name for name in arrays if _spelled(name) in _CLASSES]
    if len(classes) > 1:
        raise DataError(f"{what}: expected one array of class names, found {', '.join(classes)}.")
    used = {name for pair in splits.values() for name in pair} | set(classes)
    for (split, role), name in chosen.items():
        if name not in used and role == "images" and (split, "labels") not in chosen:
            notes.append(f"{name} has no labels beside it and is left out")
            used.add(name)
    unused = [name for name in arrays if name not in used]
    if unused:
        notes.append(f"not used of {what}: {described(unused, arrays)}")
    return Pairs(splits=splits, classes=classes[0] if classes else None, notes=tuple(notes))


def described(names: Sequence[str], arrays: Mapping[str, Header]) -> str:
    """Returns arrays in words: ``x: uint8 [40, 8, 8]; y: int64 [40]``."""
    texts = [f"{name[:60]}: {arrays[name].dtype} {list(arrays[name].shape)}" for name in names[:_TOLD]]
    return "; ".join(texts) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "") or "nothing"


def _spelled(name: str) -> str:
    """Returns a name in small letters, its words joined by ``_``: ``trainX`` is ``train_x``."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    return "_".join(word for word in words if word)


def _meaning(name: str) -> tuple[str, str] | None:
    """Returns the (split, role) that an array's name spells, or None."""
    text = _spelled(name)
    glued = _GLUED.fullmatch(text)
    words = [part for part in glued.groups() if part] if glued else [word for word in text.split("_") if word != "set"]
    roles = {_ROLES[word] for word in words if word in _ROLES}
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    if len(roles) != 1 or len(splits) > 1 or any(word not in _ROLES and word not in _SPLITS for word in words):
        return None
    return splits[0] if splits else "all", roles.pop()


def _only(meaning: tuple[str, str], names: Sequence[str], arrays: Mapping[str, Header], what: str) -> str:
    """Returns the one of several names of the same meaning that can be it: the only one shaped like images."""
    if len(names) > 1 and meaning[1] == "images":
        names = [name for name in names if len(arrays[name].shape) >= 3] or names
    if len(names) > 1:
        raise DataError(
            f"{what}: several arrays could be the {meaning[1]} of {meaning[0]}: {described(names, arrays)}.",
            hint="Store an archive that has only the one that is meant.",
        )
    return names[0]


def _consistent(splits: dict[str, tuple[str, str]]) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Returns the splits with no example twice: arrays without a split's name are all there is, or train's."""
    whole = splits.pop("all", None)
    if whole is None or "train" in splits:
        return (splits if "train" in splits else {}), []
    if not splits:
        return {"all": whole}, []
    others = " and ".join(splits)
    return {"train": whole, **splits}, [f"{whole[0]} and {whole[1]} are taken for training, as there is {others} too"]


def _missing(arrays: Mapping[str, Header], chosen: Mapping[tuple[str, str], str], what: str) -> DataError:
    """Returns the error for an archive without images and labels to train on."""
    lonely = next((split for split in ("train", "all") if (split, "images") in chosen), None)
    hint = None
    if lonely is not None:
        hint = f"{chosen[lonely, 'images']} has no labels beside it: store them under the same name with y or labels."
    elif arrays and all(_POSITIONAL.fullmatch(name) for name in arrays):
        hint = f"They were stored without names. Say which is what, for example: {_renaming('arr_0', 'arr_1')}"
    elif (pair := _by_shape(arrays)) is not None:
        hint = f"If {pair[0]} holds the images and {pair[1]} their labels: {_renaming(*pair)}"
    return DataError(
        f"Expected x_train, y_train, x_test, y_test (or x, y; images, labels; train_images, train_labels ...) in "
        f"{what}; found {described(sorted(arrays), arrays)}.",
        hint=hint,
    )


def _renaming(images: str, labels: str) -> str:
    return f'a = np.load("OLD.npz"); np.savez("NEW.npz", x=a[{json.dumps(images)}], y=a[{json.dumps(labels)}])'


def _by_shape(arrays: Mapping[str, Header]) -> tuple[str, str] | None:
    """Returns the only array that is shaped like images and the only one that has a number for each of them."""
    images = [name for name, header in arrays.items() if len(header.shape) in {3, 4}]
    labels = [
        name
        for name, header in arrays.items()
        if len(images) == 1 and header.shape in {arrays[images[0]].shape[:1], (*arrays[images[0]].shape[:1], 1)}
    ]
    return (images[0], labels[0]) if len(labels) == 1 else None
