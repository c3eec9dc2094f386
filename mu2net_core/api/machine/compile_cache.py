"""The folder of compiled programs: where it is, how large it may grow, and keeping it so.

JAX has a bound of its own (``jax_compilation_cache_max_size``), which is not used: it needs one more library, takes a
lock for every read, and stops storing anything for good once a process dies between the two files it writes for each
program, or where programs from before there was a bound lie. Here the least recently used are deleted when a process
begins. What another process wants to read at that moment it compiles again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from os import stat_result
from pathlib import Path
from stat import S_ISREG
from tempfile import TemporaryFile

from mu2net_core.api.context import Context, cache_folder
from mu2net_core.api.settings.sizes import parse_size

__all__ = ["MAX_SIZE_VARIABLE", "CompileCache", "why_not_writable"]

MAX_SIZE_VARIABLE = "MU2NET_COMPILE_CACHE_SIZE"
_MAX_SIZE = "2GiB"
_TRIED_BYTES = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileCache:
    """Where compiled programs are kept from one process to the next.

    Attributes:
        folder: which need not exist.
        max_bytes: how much may lie there when a process begins; None is no bound.
    """

    folder: Path
    max_bytes: int | None

    @classmethod
    def of(cls, context: Context) -> CompileCache:
        """Returns what the environment says.

        Raises:
            InvalidInputError: the bound is no size.
        """
        bound = context.environ.get(MAX_SIZE_VARIABLE, _MAX_SIZE)
        return cls(folder=cache_folder(context) / "xla", max_bytes=parse_size(bound) if bound else None)

    def size_bytes(self) -> int:
        """Returns how much lies there now."""
        return sum(found.st_size for _, found in self._files())

    def trim(self) -> int:
        """Deletes the least recently used programs until the rest fits; returns how many bytes were deleted."""
        files = sorted(self._files(), key=lambda file: max(file[1].st_atime, file[1].st_mtime))
        surplus = 0 if self.max_bytes is None else sum(found.st_size for _, found in files) - self.max_bytes
        deleted = 0
        for path, found in files:
            if deleted >= surplus:
                break
            try:
                path.unlink()
            except OSError:  # another process was quicker, or it is not ours to delete
                continue
            deleted += found.st_size
        return deleted

    def _files(self) -> Iterator[tuple[Path, stat_result]]:
        for path in self.folder.rglob("*"):
            try:
                found = path.stat()
            except OSError:  # deleted since it was listed
                continue
            if S_ISREG(found.st_mode):
                yield path, found


def why_not_writable(folder: Path) -> str | None:
    """Makes a folder, writes a little to it, and returns why that cannot be done; None if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(_TRIED_BYTES))
    except OSError as exc:
        return f"cannot write to {folder}: {_in_the_way(folder) or exc.strerror}"
    return None


def _in_the_way(folder: Path) -> str | None:
    """Returns what is no folder on the way to a folder."""
    for part in (folder, *folder.parents):
        if os.path.islink(part) and not os.path.exists(part):  # noqa: PTH110, PTH114  what may not be looked at is False
            return f"the link {part} leads nowhere"
        if os.path.isfile(part):  # noqa: PTH113  see above
            return f"{part} is a file"
    return None
