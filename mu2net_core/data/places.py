"""Paths that were meant otherwise than they were written: what lies there, and the URI that names it."""

from __future__ import annotations

import re
import shlex
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PosixPath
from unicodedata import normalize

from mu2net_core.data.archives.archive import located
from mu2net_core.data.archives.endings import is_archive
from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.data.rows.endings import ENDINGS, scheme_of
from mu2net_core.data.rows.folders import scheme_at
from mu2net_core.errors import CorruptObjectError, DataError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.npz import open_npz
from mu2net_core.objects import LIMITS

__all__ = ["check_place", "elsewhere", "is_foreign", "mistyped", "named_scheme", "place_of", "told_by_content"]

_DRIVE = re.compile(r"([A-Za-z]):[\\/]")
_SHARE = re.compile(r"\\\\[^\\]+\\")
_OTHER_MACHINE = re.compile(r"[\w.-]+@[\w.-]+:")
_WEB_ADDRESS = re.compile(r"(www\.)?([\w-]+\.)+(ai|co|com|de|edu|gov|io|net|org)(/.*)?", re.IGNORECASE)
_READS = (
    "folder:PATH (images, a folder per class), archive:PATH (the same in a ZIP or tar archive), npz:PATH (np.savez), "
    "csv:PATH, jsonl:PATH, parquet:PATH (rows), datasets:PATH (a folder that `datasets` saved) and webdataset:PATH "
    "(tar files of samples)"
)
_PATTERN = re.compile(r"[*?]|\[.+\]")
_ARCHIVES = {"a tar archive", "a ZIP archive", "an empty ZIP archive"}
_ELSEWHERE = {
    **dict.fromkeys(("hf", "huggingface", "datasets"), "a set of the Hugging Face hub"),
    **dict.fromkeys(("kaggle", "torchvision", "keras", "openml"), "a set of another collection"),
    **dict.fromkeys(("http", "https", "ftp", "s3", "gs", "abfs", "az"), "a URL"),
}
_KINDS = {"archive", "folder", "npz", *ENDINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What lies at a path, in words, and how to go on."""

    what: str
    hint: str | None


def named_scheme(name: str) -> str | None:
    """Returns the scheme that reads files called so, None if their name does not tell."""
    kind = "npz" if name.lower().endswith(".npz") else "archive" if is_archive(name) else None
    return kind or scheme_of(name)


def told_by_content(scheme: str, path: Path) -> str:
    """Returns the scheme of a path that was given alone: what its ending says, or what lies there says better.

    Raises:
        OSError: it cannot be looked at.
    """
    return (scheme_at(path) or scheme) if scheme in {"folder", "archive"} else scheme


def check_place(scheme: str, path: Path) -> None:
    """Checks that at ``path`` lies what its scheme reads, or what rows or images can be looked for in.

    Raises:
        NotFoundError: there is nothing.
        DataError: it is something else; the hint says how to name it, or how to make of it what can be read.
    """
    if scheme == "webdataset":  # a pattern is no place
        return
    outer = located(path)[0] if scheme == "archive" else path
    try:
        mode = outer.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise _nothing(scheme, path) from exc
    except (OSError, ValueError) as exc:
        raise DataError(f"Cannot read {path}: {getattr(exc, 'strerror', None) or exc}.") from exc
    if scheme == "folder" and not stat.S_ISDIR(mode):
        place = _look_at(path, str(path))
        raise DataError(f"Expected a folder, found {place.what}: {path}.", hint=place.hint)
    if scheme == "archive" and (not stat.S_ISREG(mode) or _is_npz(outer)):
        place = _look_at(outer, str(outer))
        raise DataError(f"Expected an archive (ZIP or tar), found {place.what}: {outer}.", hint=place.hint)
    if scheme in ENDINGS and not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise DataError(
            f"Expected a file of rows, found a device or a pipe: {path}.", hint="Copy it into a file first."
        )
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
    if drive is not None or _SHARE.match(given):
        hint = _share_hint(given) if drive is None else _drive_hint(given, drive[1].lower())
        return InvalidInputError(f"Not a data set name: {given!r}.", hint=hint)
    if colon and low in _KINDS and scheme != low:
        return InvalidInputError(f"Not a data set: {given!r}.", hint=f"Write {_uri(low, rest)}")
    if (colon and low in _ELSEWHERE) or ("://" in given and low != "file"):
        return elsewhere(given, _ELSEWHERE.get(low, "a URL"))
    text = given.removeprefix("file://localhost").removeprefix("file://").removeprefix("file:")
    place = place_of(text, cwd) or (
        place_of(rest, cwd) if colon and text == given and not _OTHER_MACHINE.match(given) else None
    )
    if place is None:
        return _not_here(given, cwd, error)
    if isinstance(error, DataError):  # the catalogue knows the name, too
        hint = " ".join(part for part in (error.hint, place.hint) if part)
        return DataError(f"{error.message} There is {place.what} of that name here.", hint=hint)
    return InvalidInputError(f"Not a data set name: {given!r}. At that path is {place.what}.", hint=place.hint)


def is_foreign(text: str) -> bool:
    """Returns whether a path is one of another machine, or of Windows where this is another system."""
    windows = _SHARE.match(text) or _DRIVE.match(text)
    return bool(_OTHER_MACHINE.match(text) or (windows and isinstance(Path(), PosixPath)))


def _not_here(given: str, cwd: Path, error: Mu2netError) -> Mu2netError:
    """Returns the error for what is no place here: it lies on another machine, or is written a little differently."""
    if _OTHER_MACHINE.match(given):
        return elsewhere(given, "a place on another machine")
    if _WEB_ADDRESS.fullmatch(given):
        return elsewhere(given)
    near = _written_otherwise(cwd / given) if isinstance(error, InvalidInputError | NotFoundError) else None
    if near is None or not near.is_dir():
        return error
    here = f"Did you mean the folder here: {_uri('folder', near.name)}?"
    return type(error)(error.message, hint=" ".join(filter(None, (error.hint, here))))


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
        if (scheme := scheme_at(path)) is not None:
            return _Place(what="a folder of rows", hint=f"If you mean its rows: {_uri(scheme, text)}")
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
    if (scheme := scheme_of(path.name)) is not None:
        return _Place(what="a file of rows", hint=f"If you mean its rows: {_uri(scheme, text)}")
    what, helps = what_is_it(head) or "a file that is none of those mu2net reads", what_helps(head)
    if helps is not None:
        return _Place(what=what, hint=helps)
    if what in _ARCHIVES or is_archive(text):
        what = what if what in _ARCHIVES else "an archive"
        return _Place(what=what, hint=f"If it holds a folder of images per class: {_uri('archive', text)}")
    if what.startswith("a single NumPy array"):
        return _Place(what=what, hint='Store images and labels together: np.savez("data.npz", x=images, y=labels)')
    if what.endswith(" image"):
        return _Place(what=what, hint="Name the folder that has a folder of images for each class: folder:PATH")
    return _Place(what=what, hint=f"mu2net reads {_READS}.")


def _nothing(scheme: str, path: Path) -> NotFoundError:
    kind = "folder" if scheme == "folder" else "file"
    return NotFoundError(f"No such {kind}: {path}.", hint=_instead(path))


def _instead(path: Path) -> str | None:
    """Returns what to do about a path where nothing is."""
    if "/annex/objects/" in path.as_posix():
        return "It is a link of git-annex to what is not here. Where the repository was cloned: git annex get ."
    if _PATTERN.search(path.name) and (found := _matches(path)):
        return f"Patterns are not expanded. Name one that matches, such as {_named(found[0])}"
    near = _written_otherwise(path) or _similar(path)
    if near is None:
        return None
    if _is_readable(near):
        return f"Did you mean {_named(near)}?"
    place = _look_at(near, str(near))
    return f"There is {place.what} of that name, {near.name}. {place.hint}"


def _named(path: Path) -> str:
    return _uri("folder" if path.is_dir() else named_scheme(path.name) or "npz", str(path))


def _matches(path: Path) -> list[Path]:
    """Returns what a pattern in the last part of a path matches."""
    return [found for found in sorted(path.parent.glob(path.name)) if _is_readable(found) and found.name[0] != "."]


def _is_readable(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and named_scheme(path.name) is not None)


def _beside(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.iterdir())
    except (OSError, ValueError):
        return []


def _written_otherwise(path: Path) -> Path | None:
    """Returns what differs from a name in case, spaces around it or its ending only."""
    wanted = _plain(path.name)
    beside = _beside(path)
    same = [other for other in beside if _plain(other.name) == wanted]
    return next(iter(same or [other for other in beside if _plain(other.stem) == wanted]), None)


def _similar(path: Path) -> Path | None:
    beside = {_plain(other.name): other for other in _beside(path)}
    near = get_close_matches(_plain(path.name), beside, n=1, cutoff=0.7)
    return beside[near[0]] if near else None


def _plain(name: str) -> str:
    return normalize("NFKC", name).casefold().strip()


def elsewhere(given: str, where: str = "a URL") -> InvalidInputError:
    """Returns the error for data that does not lie on this machine."""
    return InvalidInputError(
        f"Not a data set that is read from here: {given!r} names {where}.",
        hint=f"Download it first, then name what you have: {_READS}.",
    )


def _drive_hint(given: str, letter: str) -> str:
    kind = named_scheme(given) or "folder"
    mounted = f"/mnt/{letter}{given[2:]}".replace("\\", "/")
    if isinstance(Path(), PosixPath):
        return f"Only Windows has drives. Name the path as it is on this machine; under WSL: {_uri(kind, mounted)}"
    return f"For a path, write {_uri(kind, given)}"


def _share_hint(given: str) -> str:
    if isinstance(Path(), PosixPath):
        return "Only Windows names shares so. Mount it, and name the folder as it is on this machine: folder:PATH"
    return f"For a path, write {_uri('folder', given)}"


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
