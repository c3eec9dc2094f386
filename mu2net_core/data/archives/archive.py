"""An archive whose files can be read in any order, by several threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mu2net_core.data.archives.entries import Entry, believed, refused
from mu2net_core.data.archives.tars import DECOMPRESSED, decompressed, tar_entries
from mu2net_core.data.archives.zips import inflated, zip_entries
from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.data.images import MAX_FILE_BYTES
from mu2net_core.data.rows.content import Scratch, Shared
from mu2net_core.errors import DataError
from mu2net_core.objects import Limits

__all__ = ["Archive", "listed", "located", "open_archive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What is in an archive.

    Attributes:
        path: of its file.
        file: that its bytes are read from.
        entries: all that it holds.
    """

    path: Path
    file: Shared
    entries: Iterable[Entry]

    def read(self, entry: Entry) -> bytes:
        """Returns the bytes of one of its files.

        Raises:
            DataError: they are damaged, or more than of any image that is read.
        """
        name = self.path / entry.name
        if max(entry.size, entry.packed) > MAX_FILE_BYTES:
            raise DataError(f"Cannot read {name}: expected at most {MAX_FILE_BYTES >> 20} MiB, found more.")
        try:
            if entry.checksum is not None:
                return inflated(self.file, entry)
            data = self.file.read(entry.start, entry.start + entry.size)
        except (OSError, ValueError) as exc:
            raise DataError(f"Cannot read {name}: {getattr(exc, 'strerror', None) or exc}.") from exc
        if len(data) != entry.size:
            raise DataError(f"Cannot read {name}: it is not all there.")
        return data


def located(path: Path) -> tuple[Path, str]:
    """Returns the archive that a path names, or leads into, and where in it that is; ``""`` for all of it."""
    outer = next((outer for outer in (path, *path.parents) if outer.is_file()), path)
    return outer, "/".join(path.relative_to(outer).parts)


def open_archive(path: Path, limits: Limits) -> Archive:
    """Returns the archive at ``path``, whatever it is called, with all its entries listed.

    Raises:
        DataError: it is none, is damaged, or was made to do harm.
    """
    archive, _ = listed(path, Scratch(limits))
    return replace(archive, entries=tuple(archive.entries))


def listed(path: Path, scratch: Scratch) -> tuple[Archive, bool]:
    """Returns the archive at ``path``, whose entries are found as they are asked for, and whether it is compressed.

    Raises:
        DataError: it is none, is damaged, or was made to do harm; that may show only with its entries.
    """
    try:
        with path.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
            file, size = Shared(opened, str(path)), path.stat().st_size
            opened.seek(0)
            if is_packed := head.startswith(tuple(DECOMPRESSED)):
                file, size = decompressed(path, opened, head, scratch)
                head = file.read(0, HEAD_BYTES)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return Archive(
                path=path, file=file, entries=believed(path, zip_entries(path, file, size), scratch.limits)
            ), True
        if what_is_it(head) not in {"a tar archive", None}:
            found = what_is_it(head)
            raise refused(path, f"it is {found}, neither ZIP nor tar", what_helps(head))
        return Archive(
            path=path, file=file, entries=believed(path, tar_entries(path, file, size), scratch.limits)
        ), is_packed
    except OSError as exc:
        raise DataError(f"Cannot read the archive {path}: {exc.strerror or exc}.") from exc
