"""Folders of Hugging Face's ``datasets`` in their exact layout: saved ones, and those of the Hub."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from PIL import Image
from pyarrow import parquet

from mu2net_core.data import SourceInfo, absolute_uri, open_source
from mu2net_core.objects import Slice

__all__ = [
    "IMAGE",
    "LABEL",
    "NAMES",
    "PICTURES",
    "TEXT",
    "TEXTS",
    "every",
    "png",
    "read",
    "save",
    "save_splits",
    "table",
    "write_hub",
]

NAMES = ["zebra", "ant", "NA"]
"""Not in alphabetical order, and one that is nothing in other files."""

LABEL = {"names": NAMES, "_type": "ClassLabel"}
TEXT = {"dtype": "string", "_type": "Value"}
IMAGE = {"_type": "Image"}
STRUCT = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
TEXTS = [{"text": f"this is the text {number}", "label": number % 3} for number in range(30)]


def png(value: int) -> bytes:
    """Returns a small image of one grey."""
    file = io.BytesIO()
    Image.new("L", (4, 4), value).save(file, "png")
    return file.getvalue()


PICTURES = [{"image": {"bytes": png(number), "path": f"{number}.png"}, "label": number % 3} for number in range(12)]


def table(rows: Sequence[Mapping[str, Any]], features: Mapping[str, Any], *, told: bool = True) -> pyarrow.Table:
    """Returns rows as ``datasets`` has them: what their columns are stands in the metadata of the schema."""
    kinds = {name: STRUCT if said.get("_type") == "Image" else None for name, said in features.items()}
    columns = {name: pyarrow.array([row[name] for row in rows], kinds[name]) for name in features}
    said = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    return pyarrow.table(columns).replace_schema_metadata(said if told else None)


def save(
    folder: Path, rows: Sequence[Mapping[str, Any]], features: Mapping[str, Any], shards: int = 1, **state: object
) -> Path:
    """Saves rows as ``Dataset.save_to_disk`` does it, and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{number:05}-of-{shards:05}.arrow" for number in range(shards)]
    for number, name in enumerate(names):
        part = table(rows[number * len(rows) // shards : (number + 1) * len(rows) // shards], features)
        with pyarrow.OSFile(str(folder / name), "wb") as file, pyarrow.ipc.new_stream(file, part.schema) as writer:
            writer.write_table(part, max_chunksize=7)
    described: dict[str, object] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "0",
        **dict.fromkeys(("_format_columns", "_format_type", "_split")),
        "_format_kwargs": {},
        "_output_all_columns": False,
    }
    (folder / "state.json").write_text(json.dumps({**described, **state}))
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def save_splits(folder: Path, splits: Mapping[str, Sequence[Mapping[str, Any]]], features: Mapping[str, Any]) -> Path:
    """Saves rows as ``DatasetDict.save_to_disk`` does it, and returns the folder."""
    for split, rows in splits.items():
        save(folder / split, rows, features)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    return folder


def read(path: Path, **options: str | bool) -> tuple[SourceInfo, dict[str, list[tuple[Any, Any]]]]:
    """Returns what a folder given by its path alone holds, and input and label of each row by split."""
    source = open_source(absolute_uri(str(path), path.parent), options=options)
    info = source.info()
    return info, {
        split: [(one.input, one.label) for one in source.read([Slice(split=split, start=0, stop=count)])]
        for split, count in info.splits.items()
    }


def every(found: Mapping[str, list[tuple[Any, Any]]]) -> list[tuple[Any, Any]]:
    """Returns the rows of all splits, sorted by their input."""
    return sorted((one for rows in found.values() for one in rows), key=lambda one: str(one[0]))


def write_hub(folder: Path, *, told: bool = True, rows: Sequence[Mapping[str, Any]] = TEXTS, first: Any = TEXT) -> Path:
    """Writes parts of Parquet as the Hub has them, and returns the folder."""
    (folder / "data").mkdir(parents=True)
    column = next(iter(rows[0]))
    parts = {"train-00000-of-00002": rows[:10], "train-00001-of-00002": rows[10:20], "test-00000-of-00001": rows[20:]}
    for name, some in parts.items():
        if some:
            part = table(some, {column: first, "label": LABEL}, told=told)
            parquet.write_table(part, folder / "data" / f"{name}.parquet")
    return folder
