"""``metadata.csv``, ``.jsonl`` or ``.parquet`` beside images, as Hugging Face has it: a row for each ``file_name``.

It lies in the folder (or archive) itself, or in each of its folders that are splits; names begin where it lies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mu2net_core.data.rows.content import Scratch
from mu2net_core.data.rows.endings import scheme_of
from mu2net_core.data.rows.files import Files, Opened, open_file
from mu2net_core.data.rows.images import pictured
from mu2net_core.data.rows.pictures import Within
from mu2net_core.data.rows.source import RowSource
from mu2net_core.data.rows.target import find_targets
from mu2net_core.data.source import Options
from mu2net_core.data.sources.layout import split_named
from mu2net_core.data.sources.tree import Tree
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError
from mu2net_core.objects import Limits

__all__ = ["rows_of_images"]

_FILE_NAME = "file_name"
_HEAD_BYTES = 2**20
"""Of metadata, in which the names of columns stand."""


def rows_of_images(
    scheme: str, path: Path, tree: Tree, options: Options, limits: Limits
) -> tuple[RowSource | None, tuple[str, ...]]:
    """Returns the images that metadata describes, or None and why the folders of images are their classes.

    Metadata that says nothing of images, as it has no column ``file_name``, is not read. Where images lie in folders
    that could be classes, neither is any that cannot be read, or that gives them no class, unless options are for rows.

    Args:
        scheme: ``folder`` or ``archive``.
        path: of that.
        tree: what lies there.
        options: as a task keeps them.
        limits: of this machine.

    Raises:
        DataError: there is more metadata than one file for each split, or it cannot be read.
        InvalidInputError: an option that cannot be right.
    """
    scratch = Scratch(limits)
    needs_it = "target" in options or _all_lie_bare(tree, tree.tables)
    try:
        tables = _tables(tree)
        opened = {
            split: one
            for split, name in tables.items()
            if (one := _opened(tree, name, options, scratch, must=needs_it))
        }
    except DataError as exc:
        if needs_it:
            raise
        return None, (f"the folders of images are their classes: {exc.message.removesuffix('.')}",)
    if tables.keys() - opened.keys():
        names = some(sorted(tables[split] for split in tables.keys() - opened.keys()))
        return None, (f"not read, as no column of it is called {_FILE_NAME}: {names}",)
    files = [one.rows for one in opened.values()]
    columns = files[0].columns if files else ()
    if not files:
        return None, ()
    if not (needs_it or _has_target(columns, options, tree)):
        told = f"it has no column to learn from {some(columns, 40)} (to learn one: --target COLUMN)"
        return None, (f"the folders of images are their classes, not {some(sorted(tables.values()))}: {told}",)
    if odd := next((file for file in files if set(file.columns) != set(columns)), None):
        raise DataError(f"{files[0].path} and {odd.path} differ in their columns.", hint="Give both the same.")
    rows = Files(
        parts=[(split, one.rows) for split, one in opened.items()],
        notes=tuple(note for one in opened.values() for note in one.notes),
        options=next(iter(opened.values())).options,
    )
    folders = {split: name.rpartition("/")[0] for split, name in tables.items()}
    images = pictured(rows, columns.index(_FILE_NAME), Within(tree), options, folders)
    return RowSource(scheme, path, options, limits, files=images), ()


def _tables(tree: Tree) -> dict[str, str]:
    """Returns the metadata of each split, or of all under ``""``; only that which lies as high as any."""
    highest = min((name.count("/") for name in tree.tables), default=0)
    names = sorted(name for name in tree.tables if name.count("/") == highest)
    folders = [name.rpartition("/")[0] for name in names]
    if len(names) == 1 and all(file.startswith(f"{folders[0]}/" * bool(folders[0])) for file in tree.files):
        return {"": names[0]}
    splits = [split_named(folder.rpartition("/")[2])[0] for folder in folders]
    if len(set(folders)) == len(set(splits)) < len(names):
        raise DataError(f"Expected one file of metadata in each folder of {tree.root}, found {some(names)}.")
    found = {split: name for split, name in zip(splits, names, strict=True) if split is not None}
    return found if len(found) == len(names) else {}


def _opened(tree: Tree, name: str, options: Options, scratch: Scratch, *, must: bool) -> Opened | None:
    """Returns the rows of metadata, and how they are read; None if it has no column of names of images."""
    path = tree.root / tree.tables[name]
    with TemporaryDirectory() as folder:
        copy = tree.table(name, Path(folder))
        try:
            if not must and not _may_name_images(copy):
                return None
            opened = open_file(str(scheme_of(path.name)), copy, options, scratch)
        except DataError as exc:
            raise DataError(exc.message.replace(str(copy), str(path)), hint=exc.hint) from exc
        except OSError as exc:
            raise DataError(f"Cannot read {path}: {exc.strerror or exc}.") from exc
    if _FILE_NAME not in opened.rows.columns:
        return None
    return replace(opened, rows=opened.rows.changed(lambda rows: rows, path))


def _may_name_images(path: Path) -> bool:
    """Returns whether a file may have the column: the beginning of text must have its name, whatever its encoding."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head.startswith((b"PAR1", b"\x1f\x8b")) or _FILE_NAME.encode() in head.replace(b"\x00", b"")


def _has_target(columns: tuple[str, ...], options: Options, tree: Tree) -> bool:
    if "target" in options:
        return True
    try:
        find_targets(None, columns, str(tree.root))
    except DataError:
        return False
    return True


def _all_lie_bare(tree: Tree, tables: Iterable[str]) -> bool:
    """Returns whether no image lies in a folder that could be a class: the metadata is all that tells them apart."""
    folders = {name.rpartition("/")[0] for name in tables}
    return all(file.rpartition("/")[0] in folders for file in tree.files)
