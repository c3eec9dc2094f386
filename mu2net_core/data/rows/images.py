"""Whether a column of a file of rows names images that lie beside it, and the rows with these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from mu2net_core.data.rows.files import Files
from mu2net_core.data.rows.pictures import Beside, PicturedFile, Pictures, columns_of_images
from mu2net_core.data.rows.target import find_column
from mu2net_core.data.source import Options
from mu2net_core.data.wording import some
from mu2net_core.errors import InvalidInputError

__all__ = ["pictured", "with_images"]

_LOOKED_AT = 100


def with_images(files: Files, path: Path, options: Options) -> Files:
    """Returns rows with the images that one of their columns names; as they are where none does.

    Args:
        files: of rows.
        path: of the file, or the folder of files.
        options: ``image``, the column; without it one is looked for, unless ``columns`` says what goes in.

    Raises:
        InvalidInputError: there is no such column, or several name images.
    """
    columns = files.columns
    if files.holding:
        return _held(files, options)
    root = path if path.is_dir() else path.parent
    pictures = Beside(root)
    if "image" in options:
        return pictured(files, find_column(str(options["image"]), columns, "--image"), pictures, options)
    rows = [] if "columns" in options else files.parts[0][1].first(_LOOKED_AT)
    named = columns_of_images(columns, rows)
    there = [place for place in named if any(pictures.find(str(row[place])) for row in rows)]
    if len(there) > 1:
        raise InvalidInputError(
            f"Several columns name images: {some([columns[place] for place in there])}.",
            hint=f"Say which goes in: --image {columns[there[0]]}",
        )
    if there:
        name = columns[there[0]]
        note = f"images go in, which the column {name} names, and no other column (for a table of cells: --columns A,B)"
        found = pictured(files, there[0], pictures, options)
        return replace(found, notes=(*files.notes, note), options={**files.options, "image": name})
    if named:
        name = columns[named[0]]
        note = f"cells of {name} are called as images are, but none of them lies below {root}: they are read as text"
        return replace(files, notes=(*files.notes, note))
    return files


def _held(files: Files, options: Options) -> Files:
    """Returns rows with the images that a column holds, unless others are said to go in.

    Raises:
        InvalidInputError: there is no such column, or several hold images.
    """
    if files.embedded is None or ("columns" in options and "image" not in options):
        return files
    if "image" in options:
        return pictured(files, find_column(str(options["image"]), files.columns, "--image"), files.embedded, options)
    if len(files.holding) > 1:
        raise InvalidInputError(
            f"Several columns hold images: {some(files.holding)}.",
            hint=f"Say which goes in: --image {files.holding[0]}",
        )
    (name,) = files.holding
    note = f"images go in, which the column {name} holds, and no other column (for a table of cells: --columns A,B)"
    found = pictured(files, files.columns.index(name), files.embedded, options)
    return replace(found, notes=(*files.notes, note), options={**files.options, "image": name})


def pictured(
    files: Files, image: int, pictures: Pictures, options: Options, folders: Mapping[str, str] | None = None
) -> Files:
    """Returns rows whose column ``image`` names images.

    Args:
        files: of rows.
        image: the place of the column.
        pictures: where they are.
        options: ``skip_bad`` leaves out the rows whose image is missing or broken.
        folders: that the names of each split's file begin in.
    """
    check = bool(options.get("skip_bad", False))
    change = partial(PicturedFile, place=image, pictures=pictures, check=check)
    parts = [
        (split, file.changed(lambda rows, split=split: change(file=rows, folder=(folders or {}).get(split, ""))))  # type: ignore[misc]
        for split, file in files.parts
    ]
    return replace(files, parts=parts, image=image, pictures=pictures)
