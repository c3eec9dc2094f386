"""Below a repository's folder no link is followed, nor endless folders: others write there, and could lead anywhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mu2net_core.errors import CorruptObjectError

__all__ = ["DEEPEST", "check_no_links", "find_links", "is_link", "link_error", "open_itself", "walk"]

DEEPEST = 16
"""So many folders deep does a repository go at most; names have eight parts. What lies deeper is never looked at."""
_ITSELF = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def open_itself(path: str, flags: int) -> int:
    """Opens a file, not what a link leads to; a pipe that nobody writes to is opened, too, instead of waiting."""
    return os.open(path, flags | _ITSELF, 0o666)


def link_error(path: object) -> CorruptObjectError:
    """Returns the error for a link where a file or folder of a repository is expected."""
    return CorruptObjectError(
        f"{path} is a link, and inside a repository none is followed: put what it leads to in its place, or delete it."
    )


def is_link(path: str | Path) -> bool:
    """Returns whether a link is there; raises OSError where that cannot be found out."""
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def check_no_links(path: Path, root: Path) -> None:
    """Raises CorruptObjectError if ``path`` or a folder between it and ``root`` is a link; ``root`` may be one."""
    way = [path, *path.parents]
    for place in reversed(way[: way.index(root)]):
        if is_link(place):
            raise link_error(place)


def find_links(root: Path, places: Iterable[str]) -> Iterator[Path]:
    """Yields the links at and below ``places`` in ``root``; raises OSError where a folder cannot be listed."""
    for place in places:
        if is_link(root / place):
            yield root / place
        elif (root / place).is_dir():
            yield from _below(root / place, DEEPEST - 1)


def walk(root: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """Yields a folder of a repository and the names of its files, then the same of those below it, by name."""
    for folder, below, names in os.walk(root):
        is_deepest = len(Path(folder).parts) - len(root.parts) >= DEEPEST
        below[:] = [] if is_deepest else sorted(below)
        yield Path(folder), sorted(names)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_a_link, is_folder in found:
        if is_a_link:
            yield folder / name
        elif is_folder and depth > 0:
            yield from _below(folder / name, depth - 1)
