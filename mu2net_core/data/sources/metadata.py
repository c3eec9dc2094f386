"""``metadata.csv``, ``.jsonl`` or ``.parquet`` beside images, as Hugging Face has it: a row for each ``file_name``.

It lies in the folder (or archive) itself, or in each of its folders that are splits; names begin where it lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

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

__all__ = ["rows_of_images"]

_FILE_NAME = "file_name"


def rows_of_images(scheme: str, path: Path, tree: Tree, options: Options) -> RowSource | None:
    """Returns the images that metadata describes; None where none does, or images in folders get no class from it.

    Args:
        scheme: ``folder`` or ``archive``.
        path: of that.
        tree: what lies there.
        options: as a task keeps them.

    Raises:
        DataError: there is more metadata than one file for each split, or it cannot be read.
        InvalidInputError: an option that cannot be right.
    """
    tables = _tables(tree)
    opened = {split: _opened(tree, name, options) for split, name in tables.items()}
    files = [one.rows for one in opened.values()]
    columns = files[0].columns if files else ()
    if _FILE_NAME not in columns or not (_has_target(columns, options, tree) or _all_lie_bare(tree, tables)):
        return None
    if odd := next((file for file in files if set(file.columns) != set(columns)), None):
        raise DataError(f"{files[0].path} and {odd.path} differ in their columns.", hint="Give both the same.")
    rows = Files(
        parts=[(split, one.rows) for split, one in opened.items()],
        notes=tuple(note for one in opened.values() for note in one.notes),
        options=next(iter(opened.values())).options,
    )
    folders = {split: name.rpartition("/")[0] for split, name in tables.items()}
    images = pictured(rows, columns.index(_FILE_NAME), Within(tree), options, folders)
    return RowSource(scheme, path, options, files=images)


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


def _opened(tree: Tree, name: str, options: Options) -> Opened:
    """Returns the rows of metadata, and how they are read."""
    path = tree.root / tree.tables[name]
    with TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(tree.table(name))
        try:
            opened = open_file(str(scheme_of(path.name)), copy, options)
        except DataError as exc:
            raise DataError(exc.message.replace(str(copy), str(path)), hint=exc.hint) from exc
    return replace(opened, rows=opened.rows.changed(lambda rows: rows, path))


def _has_target(columns: tuple[str, ...], options: Options, tree: Tree) -> bool:
    if "target" in options:
        return True
    try:
        find_targets(None, columns, str(tree.root))
    except DataError:
        return False
    return True


def _all_lie_bare(tree: Tree, tables: Mapping[str, str]) -> bool:
    """Returns whether no image lies in a folder that could be a class: the metadata is all that tells them apart."""
    folders = {name.rpartition("/")[0] for name in tables.values()}
    return all(file.rpartition("/")[0] in folders for file in tree.files)
