"""What archives of images are called."""

from __future__ import annotations

__all__ = ["ARCHIVE_ENDINGS", "is_archive", "without_archive_ending"]

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def is_archive(name: str) -> bool:
    """Returns whether a file is called as archives are."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def without_archive_ending(name: str) -> str:
    """Returns the name of an archive without what says how it is packed."""
    endings = sorted(ARCHIVE_ENDINGS, key=len, reverse=True)
    return next((name[: -len(ending)] for ending in endings if name.lower().endswith(ending)), name)
