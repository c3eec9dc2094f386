"""Which backend serves which URL. Only schemes whose exclusive creation is known to be one.

Other packages add theirs through the entry point group ``mu2net.storages``, and promise that; ``StoreTests`` checks it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from mu2net_core.errors import InvalidInputError
from mu2net_core.plugins import Registry
from mu2net_core.redaction import shown
from mu2net_core.storage.backend import Backend
from mu2net_core.storage.places import Place, parse_place, require
from mu2net_core.storage.remote import FsspecStore
from mu2net_core.storage.store import MOST_NAMES

__all__ = ["SCHEMES", "OpenBackend", "azure", "gcs", "open_remote", "s3"]

OpenBackend: TypeAlias = Callable[[Place, Mapping[str, str]], Backend]
"""Makes the backend of a place, from what was said about how to reach it; contacts nobody."""


def s3(place: Place, options: Mapping[str, str]) -> Backend:
    """Returns what serves ``s3://``."""
    require("s3fs", place.url, "s3")
    from mu2net_core.storage.s3 import S3Backend

    return S3Backend(place, options)


def gcs(place: Place, options: Mapping[str, str]) -> Backend:
    """Returns what serves ``gs://``."""
    require("gcsfs", place.url, "gcs")
    from mu2net_core.storage.gcs import GcsBackend

    return GcsBackend(place, options)


def azure(place: Place, options: Mapping[str, str]) -> Backend:
    """Returns what serves ``abfs://``."""
    require("adlfs", place.url, "azure")
    from mu2net_core.storage.azure import AzureBackend

    return AzureBackend(place, options)


_HERE = "mu2net_core.storage.schemes"
_AZURE = ("abfs", "abfss", "az")
SCHEMES: Registry[OpenBackend] = Registry(
    group="mu2net.storages",
    what="storage scheme",
    shipped={
        "memory": "mu2net_core.storage.memory:MemoryBackend",
        "s3": f"{_HERE}:s3",
        **dict.fromkeys(("gs", "gcs"), f"{_HERE}:gcs"),
        **dict.fromkeys(_AZURE, f"{_HERE}:azure"),
    },
    offers=("__call__",),
)
"""What opens the storages there are, by the scheme of their URLs."""


def open_remote(
    url: str,
    options: Mapping[str, str],
    *,
    most_names: int = MOST_NAMES,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> FsspecStore:
    """Returns the store at ``url``; nothing is contacted, and credentials are not yet looked for.

    Raises:
        InvalidInputError: the scheme, the URL or an option is none that can be served.
    """
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise InvalidInputError(
            f"Cannot open {shown(url)}: expected a folder, or a URL that begins with file://, s3://, gs:// or "
            f"abfs://; got the scheme {scheme!r}.",
            hint="Other storages do not keep two writers from overwriting each other; docs/storage.md says which do.",
        )
    place = parse_place(url, with_host=scheme in _AZURE)
    return FsspecStore(SCHEMES.load(scheme)(place, options), most_names=most_names, sleep=sleep, clock=clock)
