"""Folders that Hugging Face's ``datasets`` saved (``save_to_disk``), whose Arrow files are mapped and read in place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.data.rows.arrow import Opened, pyarrow
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError

__all__ = ["arrow_files", "is_saved", "opened_arrow", "script_in"]

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"
_MOST_BYTES, _MOST_SPLITS = 2**24, 1_000
_AGAIN = "Load it where it was saved, and save it anew: datasets.load_from_disk(PATH).save_to_disk(OTHER)"
_STREAM = b"\xff\xff\xff\xff"


def is_saved(folder: Path) -> bool:
    """Returns whether a folder is one that ``datasets`` saved."""
    return (folder / _DICT).is_file() or ((folder / _STATE).is_file() and (folder / _INFO).is_file())


def arrow_files(folder: Path) -> list[tuple[str, list[Path]]]:
    """Returns the Arrow files of each split of a folder, in order; of ``""`` where there are no splits.

    Raises:
        DataError: it is no such folder, or something in it is missing.
    """
    if not (folder / _DICT).is_file():
        return [("", _shards(folder))]
    splits = _described(folder / _DICT).get("splits")
    if not isinstance(splits, list) or not splits or len(splits) > _MOST_SPLITS:
        raise DataError(f"{folder / _DICT} names no splits.", hint=_AGAIN)
    return [(split, _shards(folder / _plain(split, folder / _DICT))) for split in splits]


def _shards(folder: Path) -> list[Path]:
    if (script := script_in(folder)) is not None and not is_saved(folder):
        raise DataError(
            f"The data of {folder} is loaded by a program, {script.name}, and none is ever run.",
            hint="The Hub has most data as Parquet, too, and that is read: "
            "hf download NAME --repo-type dataset --revision refs/convert/parquet --local-dir DIR",
        )
    if missing := [name for name in (_STATE, _INFO) if not (folder / name).is_file()]:
        raise DataError(
            f"Expected a folder that `datasets` saved, {folder} has no {' and no '.join(missing)}.",
            hint=_AGAIN,
        )
    state = _described(folder / _STATE)
    if state.get("_indices_data_files"):
        raise DataError(f"The order of {folder} lies in a file of its own, as old versions did it.", hint=_AGAIN)
    listed = state.get("_data_files")
    names = [one.get("filename") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    paths = [folder / _plain(name, folder / _STATE) for name in names]
    if not paths:
        raise DataError(f"{folder / _STATE} names no files.", hint=_AGAIN)
    if lost := [path.name for path in paths if not path.is_file()]:
        raise DataError(f"{folder} is not all there: {some(lost)} missing.", hint="Get it again.")
    return paths


def _plain(name: Any, said: Path) -> str:
    """Returns a name that leads nowhere else."""
    if not isinstance(name, str) or name != Path(name).name or name in {"", ".", ".."}:
        raise DataError(f"{said} names a file that is not beside it: {str(name)[:200]!r}.")
    return name


def script_in(folder: Path) -> Path | None:
    """Returns the program in a folder that loads its data, if there is one that looks so."""
    for path in sorted(folder.glob("*.py")):
        if path.is_file():
            with path.open("rb") as file:
                text = file.read(_MOST_BYTES)
            if b"datasets" in text and b"Builder" in text:
                return path
    return None


def _described(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror or exc}.") from exc
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{path} is no JSON ({exc}).", hint=_AGAIN) from exc
    if not isinstance(found, dict):
        raise DataError(f"{path} is no JSON object.", hint=_AGAIN)
    return found


@contextmanager
def opened_arrow(path: Path) -> Iterator[Opened]:
    """Opens an Arrow file (of its streaming format), mapped into memory.

    Raises:
        DataError: it is none, or what reads it is not installed.
    """
    arrow = pyarrow()
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(_STREAM):
        raise DataError(
            f"Expected a stream of Arrow, found {what_is_it(head) or 'another file'}: {path}.", hint=what_helps(head)
        )
    with arrow.memory_map(str(path)) as mapped:
        whole = mapped.read_buffer()
        with arrow.ipc.open_stream(whole) as stream:

            def batches(columns: list[str], _rows: int) -> Iterable[Any]:
                return (batch.select(columns) for batch in stream)

            yield Opened(schema=stream.schema, batches=batches, whole=whole)
