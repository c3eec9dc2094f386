"""WebDataset: tar files of samples, each of several files of one name, which become rows; images are read in place.

The files of a sample follow each other and are called the same up to the first dot of their last part; what follows it
says what they are. ``cls`` holds a class, ``txt`` a text, ``json`` an object whose values are cells; images go in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from mu2net_core.data.archives.archive import Archive, listed
from mu2net_core.data.archives.entries import Entry, refused
from mu2net_core.data.formats import endings
from mu2net_core.data.rows.content import ROW_BYTES, Scratch
from mu2net_core.data.rows.embedded import Embedded, Place
from mu2net_core.data.rows.json_lines import JsonLinesFile, cell_of, object_in
from mu2net_core.data.rows.row import check_columns
from mu2net_core.data.wording import counted, some
from mu2net_core.errors import DataError
from mu2net_core.objects import LIMITS

__all__ = ["Samples", "looks_sampled", "read_samples"]

_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
_CLASSES = {"cls", "cls2", "class", "count", "index", "inx", "id"}
_TEXTS = {"txt", "text", "transcript"}
_OBJECTS = {"json", "jsn"}
_IMAGE = "image"
_MOST_PARTS, _MOST_KINDS, _LOOKED_AT = 100, 1_000, 20
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The samples of the shards of one split.

    Attributes:
        file: them as rows.
        notes: what should be known of how they are read.
        skipped: those that were left out on request.
        holding: the columns that hold images.
        target: the column that is to be learned if nobody says which; None where there is no class.
    """

    file: JsonLinesFile
    notes: tuple[str, ...]
    skipped: tuple[str, ...]
    holding: tuple[str, ...]
    target: str | None


class _UnreadError(Exception):
    """Why a sample cannot be read; the words go on from its name."""


def looks_sampled(path: Path) -> bool:
    """Returns whether a tar archive begins as shards do: with a class, or another part, beside its image or text.

    Raises:
        DataError: it is none, or was made to do harm.
    """
    with path.open("rb") as file:
        if file.read(2) in {b"\x1f\x8b", b"BZ", b"\xfd7"}:  # all before the second file would be decompressed
            return False
    kinds: dict[str, set[str]] = {}
    for entry in islice(listed(path, Scratch(LIMITS))[0].entries, _LOOKED_AT):
        if entry.what == "file" and (found := _NAME.fullmatch(entry.name)) is not None:
            kinds.setdefault(found[1], set()).add(found[2].lower())
    several = [one for one in kinds.values() if len(one) > 1]
    is_flat = len({name.rpartition("/")[0] for name in kinds}) == 1
    wanted = _CLASSES | _OBJECTS | _TEXTS if is_flat else _CLASSES
    return any(one & wanted for one in several)


def read_samples(paths: Sequence[Path], embedded: Embedded, scratch: Scratch, *, skip_bad: bool) -> Samples:
    """Returns the samples of some shards, one shard after the other.

    Args:
        paths: of the shards.
        embedded: takes their images in.
        scratch: where their rows are written to, and what is compressed.
        skip_bad: leave out samples that cannot be read.

    Raises:
        DataError: a shard is damaged or was made to do harm, or a sample cannot be read.
    """
    reading = _Reading()
    content = scratch.written(reading.lines(paths, embedded, scratch), paths[0])
    if reading.bad and not skip_bad:
        raise DataError(f"{some(reading.bad)}.", hint="Repair the shards, or leave out what cannot be read: --skip-bad")
    if not reading.columns:
        found = f"; found {reading.left_out()}" if reading.left else ""
        raise DataError(f"No samples in {paths[0]}{found}.", hint="Expected files such as n01.jpg and n01.cls.")
    columns = tuple(reading.columns)
    targets = [name for name in columns if name.rpartition(".")[2] in _CLASSES]
    return Samples(
        file=JsonLinesFile(content=content, columns=columns),
        notes=tuple(reading.notes()),
        skipped=tuple(reading.bad),
        holding=tuple(reading.images),
        target=targets[0] if targets else None,
    )


@dataclass(slots=True)
class _Reading:
    """What was met in the samples that were read so far."""

    columns: dict[str, None] = field(default_factory=dict)
    images: dict[str, None] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    kinds: Counter[frozenset[str]] = field(default_factory=Counter)
    firsts: dict[frozenset[str], str] = field(default_factory=dict)

    def lines(self, paths: Sequence[Path], embedded: Embedded, scratch: Scratch) -> Iterator[bytes]:
        """Yields the samples of shards as lines of JSON."""
        for path in paths:
            archive, is_packed = listed(path, scratch)
            place = embedded.place(path, is_copied=is_packed)
            named = filter(None, map(self._part, archive.entries))
            for key, parts in groupby(named, key=itemgetter(0)):
                row = self._row(archive, key, [(kind, entry) for _, kind, entry in parts], place)
                if row is not None:
                    yield _encode(row) + b"\n"

    def _part(self, entry: Entry) -> tuple[str, str, Entry] | None:
        """Returns the sample that a file is of, and what its name says it is; None if it is of none."""
        found = _NAME.fullmatch(entry.name)
        if entry.what == "folder" or "__MACOSX/" in entry.name:
            return None
        if entry.what != "file" or found is None:
            self.left[entry.what if entry.what != "file" else "file without an ending"] += 1
            return None
        return found[1], found[2].lower(), entry

    def _row(self, archive: Archive, key: str, parts: list[tuple[str, Entry]], place: Place) -> dict[str, Any] | None:
        """Returns a sample as a row; None if it is none, or cannot be read."""
        name = f"{archive.path.name}/{key}"
        if len(parts) > _MOST_PARTS:
            raise refused(archive.path, f"more than {_MOST_PARTS} files in it are called {key[:200]}")
        try:
            row = self._cells(archive, parts, place)
        except _UnreadError as exc:
            self.bad.append(f"{name}{exc}")
            return None
        if row:
            kinds = frozenset(kind for kind, _ in parts if _is_known(kind))
            self.kinds[kinds] += 1
            self.firsts.setdefault(kinds, name)
            if len(self.kinds) > _MOST_KINDS:
                raise refused(archive.path, "its samples have too many different sets of parts")
            self.columns.update(dict.fromkeys(row))
            check_columns(len(self.columns), str(archive.path))
            row.setdefault(_IMAGE, name)  # which is none: if others have one, an error names it
        return row or None

    def _cells(self, archive: Archive, parts: list[tuple[str, Entry]], place: Place) -> dict[str, Any]:
        """Returns the cells of a sample.

        Raises:
            _UnreadError: a part cannot be read.
        """
        row, objects = dict[str, Any](), dict[str, Any]()
        plain = sum(_is_image(kind) and "." not in kind for kind, _ in parts)
        for kind, entry in parts:
            last = kind.rpartition(".")[2]
            column = _IMAGE if _is_image(kind) and "." not in kind and plain == 1 else kind
            if not _is_known(kind):
                self.left[f".{last}"] += 1
            elif column in row or (last in _OBJECTS and objects):
                raise _UnreadError(f" has several files called .{kind}")
            elif _is_image(kind):
                self.images[column] = None
                read = partial(archive.read, entry)
                row[column] = place.key(entry.start, entry.size, entry.name, read)
            elif last in _OBJECTS:
                objects = _object(archive, entry, kind)
            else:
                row[column] = _text(archive, entry, kind)
        return {**{key if key not in {*row, _IMAGE} else f"json.{key}": cell for key, cell in objects.items()}, **row}

    def left_out(self) -> str:
        """Returns what was left out, by what it is."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.left.items()))

    def notes(self) -> Iterator[str]:
        """Yields what should be known of how samples are read, one sentence each."""
        if self.left:
            yield f"left out what is not read: {self.left_out()}"
        total = sum(self.kinds.values())
        of_images = {kind for kinds in self.kinds for kind in kinds if _is_image(kind) and "." not in kind}
        for kind in sorted({kind for kinds in self.kinds for kind in kinds} - of_images):
            lacking = [kinds for kinds in self.kinds if kind not in kinds]
            if count := sum(self.kinds[kinds] for kinds in lacking):
                firsts = some([self.firsts[kinds] for kinds in lacking])
                yield f"{count} of {counted(total, 'sample')} {'lacks' if count == 1 else 'lack'} .{kind}, as {firsts}"
        if self.bad:
            yield f"left out {counted(len(self.bad), 'sample')} that cannot be read: {some(self.bad)}"


def _is_image(kind: str) -> bool:
    return f".{kind.rpartition('.')[2]}" in endings()


def _is_known(kind: str) -> bool:
    return _is_image(kind) or kind.rpartition(".")[2] in _CLASSES | _TEXTS | _OBJECTS


def _data(archive: Archive, entry: Entry, kind: str) -> bytes:
    if entry.size > ROW_BYTES:
        raise _UnreadError(f".{kind} has {entry.size} bytes, at most {ROW_BYTES} are read")
    return archive.read(entry)


def _text(archive: Archive, entry: Entry, kind: str) -> str:
    try:
        return _data(archive, entry, kind).decode("utf-8-sig").strip()
    except UnicodeError as exc:
        raise _UnreadError(f".{kind} is not UTF-8") from exc


def _object(archive: Archive, entry: Entry, kind: str) -> dict[str, Any]:
    found = object_in(_data(archive, entry, kind).removeprefix(b"\xef\xbb\xbf"), "utf-8")
    if isinstance(found, str):
        raise _UnreadError(f".{kind} {found}")
    try:
        return {str(cell_of(key)): cell_of(value) for key, value in found.items()}
    except RecursionError as exc:
        raise _UnreadError(f".{kind} is nested too deeply") from exc
