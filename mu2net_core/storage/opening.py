"""Opens the store at a folder or URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from mu2net_core.storage.local import LocalStore
from mu2net_core.storage.store import MOST_NAMES, Store

__all__ = ["open_store"]

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def open_store(url: str | Path, options: Mapping[str, str] = NO_OPTIONS, *, most_names: int = MOST_NAMES) -> Store:
    """Returns the store at a folder or URL; nothing is created or contacted.

    Args:
        url: a folder, or a URL; docs/storage.md lists the schemes.
        options: what its scheme understands of endpoint, region, profile, anonymous, account and project.
        most_names: the most names in one listing that are accepted of a server.

    Raises:
        InvalidInputError: the URL's scheme is not one that creates exclusively, an option means nothing to it, or
            the package that speaks it is not installed.
    """
    text = str(url)
    if isinstance(url, Path) or not _URL.match(text):
        return LocalStore(Path(text))
    if text.lower().startswith("file://"):
        from urllib.parse import unquote, urlsplit  # rarely needed, and 5 ms

        return LocalStore(Path(unquote(urlsplit(text).path)))
    from mu2net_core.storage.schemes import open_remote  # fsspec takes 0.1 s to import

    return open_remote(text, options, most_names=most_names)
