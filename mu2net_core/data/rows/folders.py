"""Which files of a folder are rows of which split, by their names, and all of them opened.

Files are called as splits (``train.csv``, ``dev.jsonl``), or are numbered parts of them, as the Hugging Face Hub has
them (``train-00000-of-00002.parquet``), in the folder, in its ``data``, or in the only folder in it that has some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mu2net_core.data.rows.content import Scratch
from mu2net_core.data.rows.embedded import Embedded
from mu2net_core.data.rows.endings import ENDINGS, without_ending
from mu2net_core.data.rows.features import Features, beside
from mu2net_core.data.rows.files import COLUMNAR, Files, IndexedFile, Opened, open_columns, open_file
from mu2net_core.data.rows.samples import looks_sampled, read_samples
from mu2net_core.data.rows.saved import arrow_files, is_saved, script_in
from mu2net_core.data.rows.shards import is_pattern, shards_of
from mu2net_core.data.source import Options
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError
from mu2net_core.objects import SPLITS, Limits

__all__ = ["MEANT", "open_files", "scheme_at"]

MEANT: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The splits that are meant by what people call them."""

_PART = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?")
_MOST_FILES, _MOST_SETS = 100_000, 100

_BySplit = Sequence[tuple[str, Sequence[Path]]]


def open_files(scheme: str, path: Path, options: Options, limits: Limits) -> Files:
    """Returns the file at ``path``, or those in the folder there that are called as splits.

    Raises:
        DataError: the folder has none, several for one split, a part of one is missing, or their columns differ.
    """
    scratch = Scratch(limits)
    embedded = Embedded(path if path.is_dir() else path.parent, scratch)
    if scheme == "webdataset":
        return _sampled(path, embedded, options, scratch)
    if not path.is_dir():
        by_split: _BySplit = [("", [path])]
    else:
        by_split = arrow_files(path) if scheme == "datasets" else _called_as_splits(scheme, path)
    opened: list[tuple[str, Opened]] = []
    for split, paths in by_split:
        if scheme in COLUMNAR:
            name, said = paths[0] if len(paths) == 1 else path / (split or path.name), _said(paths[0], path)
            opened.append(
                (split, open_columns(scheme, paths, name, options, scratch, features=said, embedded=embedded))
            )
        else:
            opened.extend((split, open_file(scheme, inside, options, scratch)) for inside in paths)
    first = opened[0][1]
    for _, one in opened:
        _check_same(scheme, first, one)
    return Files(
        parts=[(split, one.rows) for split, one in opened],
        notes=_notes([one for _, one in opened]),
        options=next((one.options for _, one in opened if one.options), {}),
        names=first.names,
        holding=first.holding,
        embedded=embedded,
    )


def _sampled(path: Path, embedded: Embedded, options: Options, scratch: Scratch) -> Files:
    """Returns the samples of the shards that a pattern names."""
    skip_bad = bool(options.get("skip_bad", False))
    found = [(split, read_samples(shards, embedded, scratch, skip_bad=skip_bad)) for split, shards in shards_of(path)]
    columns = tuple(dict.fromkeys(name for _, one in found for name in one.file.columns))
    files = [(split, replace(one.file, columns=columns)) for split, one in found]
    return Files(
        parts=[(split, IndexedFile(path / split, file, skip_bad=skip_bad)) for split, file in files],
        notes=tuple(dict.fromkeys(note for _, one in found for note in one.notes)),
        options={},
        holding=tuple(dict.fromkeys(name for _, one in found for name in one.holding)),
        embedded=embedded,
        target=found[0][1].target,
        skipped=tuple(name for _, one in found for name in one.skipped),
    )


def _notes(opened: Sequence[Opened]) -> tuple[str, ...]:
    """Returns how files are read: what holds of all of them once."""
    common = [note for note in opened[0].notes if all(note in one.notes for one in opened)]
    own = (f"{one.rows.path.name}: {note}" for one in opened for note in one.notes if note not in common)
    return (*common, *own)


def scheme_at(path: Path) -> str | None:
    """Returns the scheme that reads what lies at a path as rows, if its content says so.

    It is a folder saved by ``datasets`` or laid out as the Hub does it, or shards of samples, or a pattern of these.
    """
    if is_pattern(path):
        return "webdataset"
    if not path.is_dir():
        return "webdataset" if path.name.lower().endswith(".tar") and _is_shard(path) else None
    if is_saved(path):
        return "datasets"
    if any(_PART.fullmatch(without_ending(file.name)) for place in _places(path) for file in _named(place, "parquet")):
        return "parquet"
    if script_in(path):
        return "datasets"
    tars = [one for one in sorted(path.iterdir()) if one.name.lower().endswith(".tar")]
    return "webdataset" if tars and _is_shard(tars[0]) else None


def _is_shard(path: Path) -> bool:
    try:
        return path.is_file() and looks_sampled(path)
    except DataError:
        return False  # whoever reads it says what is wrong with it


def _check_same(scheme: str, first: Opened, other: Opened) -> None:
    one, two = first.rows, other.rows
    if odd := sorted(set(one.columns) ^ set(two.columns)):
        raise DataError(
            f"{one.path.name} and {two.path.name} differ in their columns: {some(odd)} not in both.",
            hint=f"Name one file: {scheme}:{one.path}",
        )
    if (first.names, first.holding) != (other.names, other.holding):
        raise DataError(f"{one.path} and {two.path} differ in what their columns are.", hint="Get both again.")


def _said(file: Path, root: Path) -> Features | None:
    """Returns what is said of the columns of a file where it lies, or above it up to ``root``."""
    if not root.is_dir():
        return None
    above = [file.parent, *file.parent.parents]
    return next(filter(None, map(beside, above[: above.index(root) + 1])), None)


def _places(folder: Path) -> list[Path]:
    """Returns where files may lie in a folder: there, in its ``data``, or in others within it."""
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    inside = inside if len(inside) <= _MOST_SETS else [path for path in inside if path.name == "data"]
    return [folder, *sorted(inside, key=lambda path: path.name != "data")]


def _called_as_splits(scheme: str, folder: Path) -> _BySplit:
    """Returns the files of each split of a folder, in order.

    Raises:
        DataError: there are none, two for one split, a part is missing, or several folders in it have some.
    """
    there = [
        place for place in _places(folder) if _parts_in(place, scheme) or (place == folder and _whole_in(place, scheme))
    ]
    chosen = there[:1] if there and there[0] in {folder, folder / "data"} else there
    if len(chosen) > 1:
        raise DataError(
            f"{folder} has several data sets: {some([place.name for place in chosen])}.",
            hint=f"Name one: {scheme}:{chosen[0]}",
        )
    if not chosen:
        raise DataError(
            f"Expected files called train, validation or test ({', '.join(ENDINGS[scheme])}) in the folder {folder}.",
            hint=f"Name a file: {scheme}:{folder / 'FILE'}",
        )
    found = _parts_in(chosen[0], scheme) or [(split, [path]) for split, path in _whole_in(chosen[0], scheme).items()]
    return sorted(found, key=lambda one: SPLITS.index(one[0]) if one[0] in SPLITS else len(SPLITS))


def _whole_in(folder: Path, scheme: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _named(folder, scheme):
        stem = path.name.partition(".")[0].casefold()
        if stem in MEANT:
            other = found.setdefault(MEANT[stem], path)
            if other != path:
                raise DataError(f"{folder} has two files for one split: {other.name} and {path.name}.")
    return found


def _parts_in(folder: Path, scheme: str) -> list[tuple[str, list[Path]]]:
    """Returns the numbered parts of each split in a folder, in order.

    Raises:
        DataError: one is missing, or there twice.
    """
    by_split: dict[tuple[str, int], dict[int, Path]] = {}
    for path in _named(folder, scheme):
        if (match := _PART.fullmatch(without_ending(path.name))) is None:
            continue
        split = MEANT.get(match["split"].casefold(), match["split"])
        there = by_split.setdefault((split, int(match["count"])), {})
        other = there.setdefault(int(match["number"]), path)
        if other != path:
            raise DataError(f"{folder} has a part twice: {other.name} and {path.name}.", hint="Remove one of them.")
    if len({split for split, _ in by_split}) < len(by_split):
        raise DataError(f"{folder} has parts of the same split of two versions.", hint="Remove those of one of them.")
    for (split, count), there in by_split.items():
        if lost := [number for number in range(min(count, _MOST_FILES)) if number not in there]:
            parts = some([f"{number:05}" for number in lost])
            raise DataError(
                f"{folder} is not all there: of {split}, part {parts} of {count} missing.", hint="Get it again."
            )
    return [(split, [there[number] for number in sorted(there)]) for (split, _), there in by_split.items()]


def _named(folder: Path, scheme: str) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name.lower().endswith(ENDINGS[scheme]) and path.is_file()]
