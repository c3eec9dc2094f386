"""Which tar files a pattern of WebDataset names (``train-{000000..000012}.tar``, a folder), and their splits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mu2net_core.data.archives.endings import is_archive, without_archive_ending
from mu2net_core.data.sources.layout import split_named
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError

__all__ = ["is_pattern", "name_of", "shards_of"]

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_PATTERN = re.compile(r"[*?{]|\[.+\]")
_WILD = re.compile(r"[*?]|\[.+?\]")
_NUMBER = re.compile(r"[-_.]?(\d|\*|\?|\{[^{}]*\d\.\.\d[^{}]*\})+$")
_MOST = 100_000


def is_pattern(path: Path) -> bool:
    """Returns whether a path names several tar files at once, and there is none that is called just so."""
    several = _PATTERN.search(path.name) is not None or _BRACES.search(str(path)) is not None
    return several and ".tar" in path.name.lower() and not path.exists()


def name_of(path: Path) -> str:
    """Returns what the data set that a pattern names is called: without numbers, and not as a split alone."""
    stem = _NUMBER.sub("", without_archive_ending(path.name))
    stem = _WILD.sub("", _BRACES.sub("", stem)).strip("-_.")
    split, rest = split_named(stem)
    return stem if stem and (split is None or rest) else path.parent.name


def shards_of(path: Path) -> list[tuple[str, list[Path]]]:
    """Returns the tar files of each split that a pattern names, in order; of ``""`` if they are of no splits.

    They are of splits if each is called as one, or lies in a folder that is, and not all are of the same.

    Raises:
        NotFoundError: there are none.
        DataError: some of a range are missing.
        InvalidInputError: the pattern names too many.
    """
    paths = _named(path)
    splits = [_split_of(one) for one in paths]
    if None in splits or len(set(splits)) < 2:
        return [("", paths)]
    found = dict.fromkeys(split for split in splits if split is not None)
    return [(split, [one for one, of in zip(paths, splits, strict=True) if of == split]) for split in found]


def _named(path: Path) -> list[Path]:
    if path.is_dir():
        paths = _tars(path) or list(chain.from_iterable(_tars(one) for one in sorted(path.iterdir()) if one.is_dir()))
    else:
        each = [Path(one) for one in _expanded(str(path))]
        paths = list(chain.from_iterable(_globbed(one) if _PATTERN.search(one.name) else [one] for one in each))
        if lost := [one.name for one in paths if not one.is_file()]:
            if len(lost) == len(paths):
                raise NotFoundError(f"No such files: {path}.")
            raise DataError(f"{path} is not all there: {some(lost)} missing.", hint="Get them again, or name fewer.")
    if not paths:
        raise NotFoundError(f"No tar files: {path}.", hint="Examples: train-{000000..000012}.tar, 'train-*.tar'")
    return paths


def _tars(folder: Path) -> list[Path]:
    return [one for one in sorted(folder.iterdir()) if is_archive(one.name) and ".tar" in one.name and one.is_file()]


def _globbed(path: Path) -> list[Path]:
    return [one for one in sorted(path.parent.glob(path.name)) if one.is_file() and not one.name.startswith(".")]


def _expanded(text: str) -> Iterator[str]:
    """Yields what braces stand for: numbers of a range, or what commas part."""
    made = [text]
    while (found := _BRACES.search(made[0])) is not None:
        inside = _RANGE.fullmatch(found[1])
        first, last = (int(inside[1]), int(inside[2])) if inside else (0, 0)
        parts = [f"{n:0{len(inside[1])}}" for n in range(first, min(last, first + _MOST) + 1)] if inside else None
        parts = found[1].split(",") if parts is None else parts
        if not parts or len(parts) * len(made) > _MOST:
            raise InvalidInputError(f"Not a range of files: {text[:200]} (at most {_MOST}).")
        made = [_BRACES.sub(lambda _, part=part: part, one, count=1) for one in made for part in parts]  # type: ignore[misc]
    yield from made


def _split_of(path: Path) -> str | None:
    split, _ = split_named(_NUMBER.sub("", without_archive_ending(path.name)))
    return split or split_named(path.parent.name)[0]
