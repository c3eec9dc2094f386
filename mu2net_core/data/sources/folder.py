"""``folder:PATH``: image files in class folders, ``PATH/<class>/<image>`` or ``PATH/<split>/<class>/<image>``.

``archive:PATH`` reads the same out of a ZIP or tar archive.

With ``depth`` 2 a class is two folders deep, ``PATH/<alphabet>/<character>/<image>``, and so on. Without folders that
are splits there is one split ``all``. Every split comes in a fixed pseudo-random order, with each class spread evenly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from mu2net_core.data.archives.tree import walk_archive
from mu2net_core.data.deep import RANGE
from mu2net_core.data.formats import endings
from mu2net_core.data.images import decode
from mu2net_core.data.order import stratified_order
from mu2net_core.data.source import Options, Source, SourceInfo, Stored, StoredExamples
from mu2net_core.data.sources.layout import Layout, arrange
from mu2net_core.data.sources.metadata import rows_of_images
from mu2net_core.data.sources.names import look_alikes
from mu2net_core.data.sources.parts import parts_of
from mu2net_core.data.sources.stray import advice
from mu2net_core.data.sources.tree import MAX_DEPTH, Tree, walk
from mu2net_core.data.wording import counted, some
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.objects import Classes, Limits, Slice

__all__ = ["FolderSource", "open_archive", "open_folder"]

_CLASS_FOLDERS = "Put the images of each class into a folder of its own: CLASS/IMAGE."
_SPLITS_FIRST = "Put the images of each class into a folder of its own in each split: SPLIT/CLASS/IMAGE."

_OPTIONS = {"depth", "skip_bad", "skip_stray", RANGE}


@dataclass(frozen=True, slots=True)
class _Listing:
    tree: Tree
    layout: Layout
    bad: frozenset[str]
    classes: tuple[str, ...]
    files: dict[str, list[str]]


class FolderSource:
    """The image files below a folder, or in an archive.

    Args:
        path: absolute.
        tree: what lies there.
        notes: what should be known of how it is read.
        depth: how many folders deep a class is.
        skip_bad: leave broken images out; each image is decoded to find them.
        skip_stray: leave images out that lie at another depth, or beside the splits.
    """

    def __init__(
        self,
        path: Path,
        tree: Tree,
        notes: Sequence[str] = (),
        *,
        depth: int = 1,
        skip_bad: bool = False,
        skip_stray: bool = False,
    ) -> None:
        self.path = path
        self.uri = f"{tree.scheme}:{path}"
        self._tree, self._notes = tree, tuple(notes)
        self.depth = depth
        self.skip_bad = skip_bad
        self.skip_stray = skip_stray

    def info(self) -> SourceInfo:
        """Returns splits, classes named by their folders, the broken images left out, and all else that was.

        Raises:
            DataError: no images, or images at another depth.
        """
        listing = self._listing
        options: dict[str, int | str | bool] = {}
        if self.depth != 1:
            options["depth"] = self.depth
        if self.skip_bad:
            options["skip_bad"] = True
        if self.skip_stray:
            options["skip_stray"] = True
        return SourceInfo(
            splits={split: len(files) for split, files in listing.files.items()},
            output=Classes(names=listing.classes),
            options=options,
            skipped=tuple(str(listing.tree.path(file)) for file in sorted(listing.bad)),
            notes=(*self._notes, *_notes(listing, self.depth)),
        )

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields encoded images."""
        return iter(self.examples(slices))

    def examples(self, slices: Sequence[Slice]) -> StoredExamples:
        """Returns the same images by number."""
        listing = self._listing
        labels = {name: label for label, name in enumerate(listing.classes)}

        def fetch(split: str, index: int) -> Stored:
            file = listing.files[split][index]
            label = labels[listing.layout.placed[file][1]]
            return Stored(name=str(listing.tree.path(file)), input=listing.tree.read(file), label=label)

        return StoredExamples(slices, fetch)

    @cached_property
    def _listing(self) -> _Listing:
        tree = self._tree
        if not tree.files:
            found = f"; found {tree.left_out_text()}" if tree.left_out else ""
            raise DataError(
                f"No images in {self.path}{found}; looked for {', '.join(sorted(endings()))}.",
                hint=tree.hint,
            )
        layout = self._layout(tree)
        bad = frozenset(self._bad(tree, layout.placed)) if self.skip_bad else frozenset()
        by_split: dict[str, dict[str, str]] = {}
        for file, (split, name) in layout.placed.items():
            if file not in bad:
                by_split.setdefault(split, {})[file] = name
        files = {split: stratified_order(inside) for split, inside in by_split.items()}
        classes = sorted({layout.placed[file][1] for split in files.values() for file in split})
        return _Listing(tree=tree, layout=layout, bad=bad, classes=tuple(classes), files=files)

    def _layout(self, tree: Tree) -> Layout:
        try:
            layout = arrange(tree.files, self.depth)
        except DataError as exc:
            raise DataError(exc.message, hint=exc.hint or advice(tree, self.depth) or _SPLITS_FIRST) from exc
        if layout.stray and not (self.skip_stray and layout.placed):
            where = f"{' and '.join(sorted(layout.splits))} of " if layout.splits else ""
            stray = [f"{file} ({_depth(file, layout)} deep)" for file in layout.stray]
            raise DataError(
                f"Expected images {self.depth} folder(s) deep in {where}{self.path}; found {len(stray)} of "
                f"{counted(len(tree.files), 'image')} elsewhere: {some(stray)}.",
                hint=advice(tree, self.depth) or (_SPLITS_FIRST if layout.splits else _CLASS_FOLDERS),
            )
        return layout

    @staticmethod
    def _bad(tree: Tree, files: Collection[str]) -> Iterator[str]:
        for file in files:
            try:
                decode(tree.read(file), file)
            except DataError:
                yield file


def _depth(file: str, layout: Layout) -> int:
    """Returns how many folders deep an image lies, in its split if it is in one."""
    return layout.within(file)[1].count("/")


def _notes(listing: _Listing, depth: int) -> Iterator[str]:
    """Yields what was left out without anybody asking, and what is easily overlooked."""
    tree, layout = listing.tree, listing.layout
    if tree.left_out:
        yield f"left out what is not read: {tree.left_out_text()}"
    if layout.stray:
        yield f"left out {len(layout.stray)} of {counted(len(tree.files), 'image')} elsewhere: {some(layout.stray)}"
    for folder, count in layout.unlabelled.items():
        yield f"left out {folder}, {counted(count, 'image')} without labels: none lies in a class that is trained"
    below = max((folder.count("/") + 1 for folder in layout.splits), default=0)
    empty = [
        folder
        for folder in tree.empty_folders(depth + below)
        if not (layout.splits and layout.within(f"{folder}/")[1].rstrip("/") in listing.classes)
    ]
    if empty:
        yield f"no image lies in {counted(len(empty), 'folder')}: {some(empty, 10)}"
    if (parts := parts_of(listing.classes)) is not None:
        yield (
            f"{parts}: {parts.twins} are different classes here, which is wrong if these are splits, copies or sites "
            "of one data set"
        )
    yield from look_alikes(listing.classes)


def _open(scheme: str, rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> Source:
    """Returns the source ``<scheme>:<rest>``.

    Options are ``depth``, ``skip_bad`` and ``skip_stray``; with metadata those of rows.

    Raises:
        NotFoundError: there is no such folder.
        DataError: what is there cannot be read.
        InvalidInputError: an option is of another kind, or for rows where no metadata is.
    """
    del data_dir
    path, depth = Path(rest), _option(options, "depth", 1)
    skip_bad = bool(_option(options, "skip_bad", default=False))
    skip_stray = bool(_option(options, "skip_stray", default=False))
    if not 1 <= depth <= MAX_DEPTH:
        raise InvalidInputError(f"depth: expected 1 to {MAX_DEPTH}, got {depth}.")
    if scheme == "folder" and not path.is_dir():
        raise NotFoundError(f"No such folder: {path}.")
    tree = walk_archive(path, depth, limits) if scheme == "archive" else walk(path)
    of_rows = sorted(options.keys() - _OPTIONS)
    source, notes = rows_of_images(scheme, path, tree, options, limits) if tree.tables else (None, ())
    if source is not None:
        return source
    if of_rows:
        raise InvalidInputError(
            f"{', '.join(of_rows)}: for rows, and {path} has no metadata (metadata.csv, .jsonl or .parquet with a "
            "column file_name) that says what its images are."
        )
    return FolderSource(path, tree, notes, depth=depth, skip_bad=skip_bad, skip_stray=skip_stray)


open_archive = partial(_open, "archive")
open_folder = partial(_open, "folder")


def _option(options: Options, name: str, default: int) -> int:
    """Returns a whole number or a truth, as ``default`` is; whoever shares a task can write anything there."""
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) is not isinstance(default, bool):
        wanted = "true or false" if isinstance(default, bool) else "a whole number"
        raise InvalidInputError(f"{name}: expected {wanted}, got {str(value)[:80]!r}.")
    return value
