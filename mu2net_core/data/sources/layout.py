"""Where the classes and splits of a folder of images are, by the names of its folders alone.

Either ``<class>/<image>``, or ``<split>/<class>/<image>``; a class may be several folders deep. Folders are splits if
their names are the usual ones of splits, in any case and with the usual additions (``Train``, ``test_set``,
``Validation-images``), and they are for training and something else, or there are no other folders. What else a name
says must be the same in all (``pets_train``, ``pets_test``), except numbers before and versions behind (``01_train``,
``test_v2``). A split may lie in a folder of its own once more (``seg_train/seg_train``), as many archives unpack.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mu2net_core.data.sources.names import same_class
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError
from mu2net_core.objects import SPLITS

__all__ = ["Layout", "arrange", "split_named"]

_SPLIT_NAMES = {
    "train": "train|training|trainval|trn",
    "validation": "val|valid|validate|validation|dev|devel|development|eval|evaluation|validierung",
    "test": "test|testing|tst|holdout",
}
_ADDITIONS = "set|data|s?daten|dataset|images|imgs|pictures|photos|split|folder"
_PATTERNS = {split: re.compile(f"({names})({_ADDITIONS})?") for split, names in _SPLIT_NAMES.items()}
_ADDITION = re.compile(_ADDITIONS)
_NUMBER_OR_VERSION = re.compile(r"^\d+[\W_]+|[\W_]+v\d+$")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is what.

    Attributes:
        splits: the split of each folder that is one, relative to the root.
        placed: split and class of each image that lies where images belong.
        stray: the images that lie elsewhere, sorted.
        unlabelled: how many images a split's folder holds, none of them in a class that is trained.
    """

    splits: Mapping[str, str]
    placed: Mapping[str, tuple[str, str]]
    stray: tuple[str, ...]
    unlabelled: Mapping[str, int] = field(default_factory=dict)

    def within(self, file: str) -> tuple[str, str]:
        """Returns the folder that is a split in which a file lies, and its path there; ``""`` and all of it if none."""
        return _within(file, self.splits)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(sorted({name for _, name in self.placed.values()}))


def split_named(folder: str) -> tuple[str | None, tuple[str, ...]]:
    """Returns the split that a folder's name means, or None, and what else it says."""
    found, rest = [], []
    for word in _WORD.findall(_NUMBER_OR_VERSION.sub("", folder.casefold())):
        split = next((split for split, pattern in _PATTERNS.items() if pattern.fullmatch(word)), None)
        if split is not None:
            found.append(split)
        elif not _ADDITION.fullmatch(word):
            rest.append(word)
    return (found[0] if len(found) == 1 else None), tuple(rest)


def arrange(files: Collection[str], depth: int) -> Layout:
    """Returns what the images are, by their names.

    Args:
        files: relative paths joined by ``/``.
        depth: how many folders deep a class is.

    Raises:
        DataError: two folders for the same split, splits below other folders, or a class that has another spelling in
            each split.
    """
    splits = {_doubled(top, split, files): split for top, split in _split_folders(files).items()}
    placed, stray = {}, []
    for file in sorted(files):
        place = _place(file, splits, depth)
        if place is None:
            stray.append(file)
        else:
            placed[file] = place
    layout = Layout(splits=splits, placed=placed, stray=tuple(stray))
    _check_classes(layout.classes)
    _check_spelling(layout)
    return _without_unlabelled(layout) if "train" in splits.values() else layout


def _place(file: str, splits: Mapping[str, str], depth: int) -> tuple[str, str] | None:
    """Returns the split and class of an image, None if it does not lie where images belong."""
    folder, inside = _within(file, splits)
    if splits and not folder:
        return None
    name = posixpath.dirname(inside)
    deep = name.count("/") + 1 if name else 0
    return (splits.get(folder, _ALL), name) if deep == depth else None


def _within(file: str, splits: Mapping[str, str]) -> tuple[str, str]:
    """Returns the folder that is a split in which a file lies, and its path there; ``""`` and all of it if none."""
    folder = next((folder for folder in splits if file.startswith(f"{folder}/")), "")
    return folder, file.removeprefix(f"{folder}/") if folder else file


def _doubled(folder: str, split: str, files: Collection[str]) -> str:
    """Returns the innermost folder of a split: its own, or one of the same name or split that is all that it holds."""
    inside = [file.removeprefix(f"{folder}/") for file in files if file.startswith(f"{folder}/")]
    names = {file.partition("/")[0] for file in inside}
    if len(names) != 1 or not any(file.count("/") > 1 for file in inside):
        return folder
    (name,) = names
    same = name.casefold() == posixpath.basename(folder).casefold() or split_named(name)[0] == split
    return _doubled(f"{folder}/{name}", split, files) if same else folder


def _split_folders(files: Collection[str]) -> Mapping[str, str]:
    tops = sorted({file.partition("/")[0] for file in files if "/" in file})
    series = _series(tops)
    if len(series) > 1:
        raise DataError(
            f"Expected one series of splits, found {' and '.join(sorted(folder for one in series for folder in one))}.",
            hint="Put them together as SPLIT/CLASS/IMAGE, or name one of them as a data set: folder:PATH",
        )
    plain = {top: split for top in tops if (split := split_named(top)[0]) is not None and not split_named(top)[1]}
    splits = series[0] if series else plain if plain and len(plain) == len(tops) else {}
    if not series and len(set(splits.values())) < 2 and "train" not in splits.values():
        return {}
    for split in SPLITS:
        if len(same := [top for top, kind in splits.items() if kind == split]) > 1:
            raise DataError(
                f"Expected one folder for the split {split}, found {' and '.join(same)}.",
                hint="Rename one of them, or put their images into one.",
            )
    return splits


def _series(folders: Collection[str]) -> list[Mapping[str, str]]:
    """Returns the splits by folder, for each series of folders that are for training and something else."""
    series: dict[tuple[str, ...], dict[str, str]] = {}
    for folder in folders:
        split, rest = split_named(folder)
        if split is not None:
            series.setdefault(rest, {})[folder] = split
    return [splits for splits in series.values() if "train" in splits.values() and len(set(splits.values())) > 1]


def _check_classes(classes: Collection[str]) -> None:
    """Checks that no folders within others are splits: their images would become classes of their own."""
    for level in zip(*(name.split("/") for name in classes), strict=True):
        for splits in _series(sorted(set(level))):
            raise DataError(
                f"{' and '.join(splits)} look like splits, but lie where classes are named: expected splits first, "
                "classes within them."
            )


def _check_spelling(layout: Layout) -> None:
    """Checks that no class is written in two ways, each in splits of its own: it would be two, or be dropped."""
    spellings: dict[str, dict[str, set[str]]] = {}
    for split, name in set(layout.placed.values()):
        spellings.setdefault(same_class(name), {}).setdefault(name, set()).add(split)
    folders = {split: folder for folder, split in layout.splits.items()}
    apart = [
        sorted(f"{folders[split]}/{name}" for name, splits in names.items() for split in splits)
        for key, names in sorted(spellings.items())
        if key and len(names) > 1 and sum(map(len, names.values())) == len(set().union(*names.values()))
    ]
    if apart:
        pairs = [" and ".join(f"{place!r}" for place in places) for places in apart]
        raise DataError(
            f"Expected the same names of classes in each split, found {some(pairs, between='; ')}: they differ in "
            "case, spaces, signs or leading zeros only.",
            hint="Rename these folders, so that each class has the same name everywhere.",
        )


def _without_unlabelled(layout: Layout) -> Layout:
    """Returns the layout without the splits none of whose images has a class that is trained."""
    trained = {name for split, name in layout.placed.values() if split == "train"}
    labelled = {split for split, name in layout.placed.values() if name in trained}
    counts = Counter(layout.within(file)[0] for file in (*layout.placed, *layout.stray))
    bare = {folder: counts[folder] for folder, split in layout.splits.items() if trained and split not in labelled}
    return Layout(
        splits={folder: split for folder, split in layout.splits.items() if folder not in bare},
        placed={file: place for file, place in layout.placed.items() if layout.within(file)[0] not in bare},
        stray=tuple(file for file in layout.stray if layout.within(file)[0] not in bare),
        unlabelled=bare,
    )
