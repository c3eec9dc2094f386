"""What Hugging Face's ``datasets`` says of columns: names of classes by number, and which hold images.

It stands in Arrow's and Parquet's own metadata, in ``dataset_info.json``, in ``dataset_infos.json``, or at the head of
``README.md``. All of it is data; the scripts that load some data sets are never run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mu2net_core.data.rows.json_lines import cell_of
from mu2net_core.errors import DataError

__all__ = ["Features", "beside", "of_info", "of_schema"]

_MOST_BYTES = 16 * 2**20
"""Of a file that describes a data set: one class for each of a million names has as many."""
_MOST_HEAD_BYTES = 2**20
"""Of what a page begins with: a mebibyte of YAML takes a core up to nine seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What is said of columns.

    Attributes:
        names: of the classes whose numbers a column holds, alone or in lists, by the name of the column.
        images: the columns that hold images.
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    images: frozenset[str] = frozenset()


def of_schema(metadata: Mapping[bytes, bytes] | None) -> Features | None:
    """Returns what the metadata of an Arrow schema says; None if it says nothing.

    Raises:
        DataError: it cannot be right.
    """
    said = _object(_parsed((metadata or {}).get(b"huggingface", b"{}")))
    return of_info(_object(said.get("info")))


def of_info(info: Mapping[str, Any]) -> Features | None:
    """Returns what a description of a data set says; None if it says nothing of columns.

    Raises:
        DataError: it cannot be right.
    """
    columns = info.get("features")
    if isinstance(columns, list):  # as README.md has them
        found = {str(one.pop("name", "")): one for one in map(dict, map(_object, columns))}
    else:
        found = dict(_object(columns))
    if not found:
        return None
    names = {column: named for column, said in found.items() if (named := _names(said, column)) is not None}
    images = frozenset(column for column, said in found.items() if _is_image(said))
    return Features(names=names, images=images)


def beside(folder: Path) -> Features | None:
    """Returns what the files that describe a folder of data say of its columns; None if there are none.

    Raises:
        DataError: one cannot be read.
    """
    for name in ("dataset_info.json", "dataset_infos.json", "README.md"):
        text = _text(folder / name)
        if text is not None and (said := _said(name, text)) is not None:
            return said
    return None


def _said(name: str, text: bytes) -> Features | None:
    if name == "dataset_info.json":
        return of_info(_object(_parsed(text)))
    if name == "dataset_infos.json":
        return _only([_object(info) for info in _object(_parsed(text)).values()])
    found = _head(text).get("dataset_info")
    return _only([_object(info) for info in (found if isinstance(found, list) else [found])])


def _only(infos: list[Mapping[str, Any]]) -> Features | None:
    """Returns what descriptions say that agree; None if there are none, or they do not."""
    said = [of_info(info) for info in infos]
    return said[0] if said and all(one == said[0] for one in said) else None


def _head(text: bytes) -> Mapping[str, Any]:
    """Returns the YAML that a page begins with, between two lines of dashes.

    None of it where a part stands for another one: a few such lines can come to more than any memory holds.
    """
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("alias")
            return super().compose_node(parent, index)

    begin, _, rest = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").partition(b"---\n")
    head, found, _ = rest.partition(b"\n---")
    if begin.strip() or not found or len(head) > _MOST_HEAD_BYTES:
        return {}
    try:
        return _object(yaml.load(head, Loader))  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError):  # a page is written for people first
        return {}


def _text(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror or exc}.") from exc
    if len(text) > _MOST_BYTES:
        raise DataError(f"{path} has more than {_MOST_BYTES} bytes: it describes no data set.")
    return text


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise DataError(f"What describes the columns of the data set is no JSON ({exc}).") from exc


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(said: Any, column: str) -> tuple[str, ...] | None:
    """Returns the names of a column's classes, as its cells are read; None if it has none.

    Raises:
        DataError: two are the same, or one is empty.
    """
    found = next((one for one in _within(said) if one.get("_type") == "ClassLabel" or "class_label" in one), None)
    if found is None:
        return None
    listed = found.get("names") or _object(found.get("class_label")).get("names")
    if isinstance(listed, dict):  # by their numbers
        by_number = {int(str(number)): name for number, name in listed.items() if str(number).isdecimal()}
        listed = [by_number.get(number) for number in range(len(listed))]
    if not isinstance(listed, list):
        return None
    names = tuple("" if name is None else str(cell_of(str(name))) for name in listed)
    if len(set(names)) < len(names) or "" in names:
        raise DataError(f"The classes of the column {column} have no name each: {str(listed)[:200]}.")
    return names


def _within(said: Any) -> Iterator[Mapping[str, Any]]:
    """Yields what is said of a column, and of what its lists hold."""
    for _ in range(3):
        said = said[0] if isinstance(said, list) and said else said
        if not isinstance(said, dict):
            return
        yield said
        said = next((said[key] for key in ("feature", "dtype", "list", "sequence") if key in said), None)


def _is_image(said: Any) -> bool:
    said = _object(said)
    return bool(said.get("_type") == "Image" or said.get("dtype") == "image")
