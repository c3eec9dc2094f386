"""What an exception means that nobody translated where it was met."""

from __future__ import annotations

from mu2net_core.errors import Mu2netError
from mu2net_core.storage import is_of_the_system, translate

__all__ = ["explained"]


def explained(exc: Exception) -> Mu2netError | None:
    """Returns our error for one that says that a disk, or the rights on it, are not as they need to be; else None."""
    if not isinstance(exc, OSError) or not is_of_the_system(exc):
        return None
    return translate(exc, "use", exc.filename or "a file or folder")
