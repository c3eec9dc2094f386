"""Paths that were meant otherwise than they were written: what lies there, and the URI that names it."""

from __future__ import annotations

import re
import shlex
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PosixPath

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.errors import CorruptObjectError, DataError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.npz import open_npz
from mu2net_core.objects import LIMITS

__all__ = ["check_place", "elsewhere", "mistyped", "place_of"]

_DRIVE = re.compile(r"([A-Za-z]):[\\/]")
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ELSEWHERE = {
    **dict.fromkeys(("hf", "huggingface", "datasets"), "a set of the Hugging Face hub"),
    **dict.fromkeys(("kaggle", "torchvision", "keras", "openml"), "a set of another collection"),
    **dict.fromkeys(("http", "https", "ftp", "s3", "gs", "abfs", "az"), "a URL"),
}
_KINDS = {"folder", "npz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What lies at a path, in words, and how to go on."""

    what: str
    hint: str | None


def check_place(scheme: str, path: Path) -> None:
    """Checks that at ``path`` lies what ``folder:`` or ``npz:`` reads.

    Raises:
        NotFoundError: there is nothing.
        DataError: it is something else; the hint says how to name it, or how to make of it what can be read.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise _nothing(scheme, path) from exc
    except (OSError, ValueError) as exc:
        raise DataError(f"Cannot read {path}: {getattr(exc, 'strerror', None) or exc}.") from exc
    if scheme == "folder" and not stat.S_ISDIR(mode):
        place = _look_at(path, str(path))
        raise DataError(f"Expected a folder, found {place.what}: {path}.", hint=place.hint)
    if scheme == "npz" and not _is_npz(path):
        place = _look_at(path, str(path))
        raise DataError(f"Expected a NumPy archive (.npz), found {place.what}: {path}.", hint=place.hint)


def mistyped(given: str, cwd: Path, error: Mu2netError) -> Mu2netError:
    """Returns ``error``, or a better one if what was given as a data set looks like a place, or lies elsewhere.

    Args:
        given: by the user.
        cwd: what relative paths are relative to.
        error: what came of it.
    """
    scheme, colon, rest = given.partition(":")
    drive, low = _DRIVE.match(given), scheme.lower()
    if drive is not None:
        return InvalidInputError(f"Not a data set name: {given!r}.", hint=_drive_hint(given, drive[1].lower()))
    if colon and low in _KINDS and scheme != low:
        return InvalidInputError(f"Not a data set: {given!r}.", hint=f"Write {_uri(low, rest)}")
    if (colon and low in _ELSEWHERE) or ("://" in given and low != "file"):
        return elsewhere(given, _ELSEWHERE.get(low, "a URL"))
    text = given.removeprefix("file://").removeprefix("file:")
    place = place_of(text, cwd) or (place_of(rest, cwd) if colon and text == given else None)
    if place is None:
        return error
    if isinstance(error, DataError):  # the catalogue knows the name, too
        hint = " ".join(part for part in (error.hint, place.hint) if part)
        return DataError(f"{error.message} There is {place.what} of that name here.", hint=hint)
    return InvalidInputError(f"Not a data set name: {given!r}. At that path is {place.what}.", hint=place.hint)


def place_of(text: str, cwd: Path) -> _Place | None:
    """Returns what lies at the path that ``text`` is, None if nothing does."""
    try:
        path = cwd / Path(text).expanduser()
        return _look_at(path, text) if text and path.exists() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _look_at(path: Path, text: str) -> _Place:
    """Returns what lies at ``path``, which the user calls ``text``."""
    if path.is_dir():
        archives = sorted(path.glob("*.npz"))
        hint = f"If you mean the folder of images: {_uri('folder', text)}"
        if archives and not any(child.is_dir() for child in path.iterdir()):
            hint = f"If you mean the archive in it: {_uri('npz', str(Path(text) / archives[0].name))}"
        return _Place(what="a folder", hint=hint)
    if not path.is_file():
        return _Place(what="a device or a pipe", hint="Copy the data into a file or a folder first.")
    if _is_npz(path):
        return _Place(what="a NumPy archive", hint=f"If you mean the archive: {_uri('npz', text)}")
    return _file(path, text)


def _file(path: Path, text: str) -> _Place:
    head = _head(path)
    what, helps = what_is_it(head) or "a file that is none of those mu2net reads", what_helps(head)
    folder = text.removesuffix("".join(Path(text).suffixes)) or "data"
    if helps is not None:
        return _Place(what=what, hint=helps)
    if what == "a ZIP archive":
        return _Place(what=what, hint=f"Unpack it: {_command('python -m zipfile -e', text, folder)}. "
                      f"If it holds a folder per class: {_uri('folder', folder)}")  # fmt: skip
    if what == "a tar archive" or text.lower().endswith(_TARS):
        command = f"{_command('mkdir', folder)} && {_command('tar -xf', text, '-C', folder)}"
        hint = f"Unpack it: {command}. If it holds a folder per class: {_uri('folder', folder)}"
        return _Place(what="a tar archive", hint=hint)
    if what.startswith("a single NumPy array"):
        return _Place(what=what, hint='Store images and labels together: np.savez("data.npz", x=images, y=labels)')
    if what.endswith(" image"):
        return _Place(what=what, hint="Name the folder that has a folder of images for each class: folder:PATH")
    return _Place(what=what, hint="mu2net reads folder:PATH (a folder of images per class) and npz:PATH (np.savez).")


def _nothing(scheme: str, path: Path) -> NotFoundError:
    kind = "folder" if scheme == "folder" else "file"
    try:
        beside = [child.name for child in path.parent.iterdir()]
    except OSError:
        beside = []
    near = get_close_matches(path.name, beside, n=1, cutoff=0.7)
    hint = f"Did you mean {_uri(scheme, str(path.with_name(near[0])))}?" if near else None
    return NotFoundError(f"No such {kind}: {path}.", hint=hint)


def elsewhere(given: str, where: str = "a URL") -> InvalidInputError:
    """Returns the error for data that does not lie on this machine."""
    return InvalidInputError(
        f"Not a data set that is read from here: {given!r} names {where}.",
        hint="Download it first, then name what you have: folder:PATH (a folder of images per class) or npz:PATH.",
    )


def _drive_hint(given: str, letter: str) -> str:
    kind = "npz" if given.lower().endswith(".npz") else "folder"
    mounted = f"/mnt/{letter}{given[2:]}".replace("\\", "/")
    if isinstance(Path(), PosixPath):
        return f"Only Windows has drives. Name the path as it is on this machine; under WSL: {_uri(kind, mounted)}"
    return f"For a path, write {_uri(kind, given)}"


def _is_npz(path: Path) -> bool:
    """Returns whether a file is a ZIP archive with arrays in it, or one that is damaged and called ``.npz``."""
    if not path.is_file() or not _head(path).startswith(b"PK\x03\x04"):
        return False
    try:
        with open_npz(path, limits=LIMITS) as archive:
            return bool(archive.names)
    except CorruptObjectError:
        return path.suffix.lower() == ".npz"


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror}.") from exc


def _uri(scheme: str, text: str) -> str:
    return shlex.quote(f"{scheme}:{text}")


def _command(*words: str) -> str:
    return " ".join((words[0], *map(shlex.quote, words[1:])))
