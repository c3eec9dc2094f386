"""Which backend serves which URL. Only schemes whose exclusive creation is known to be one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from mu2net_core.errors import InvalidInputError
from mu2net_core.redaction import shown
from mu2net_core.storage.backend import Backend
from mu2net_core.storage.places import Place, parse_place, require
from mu2net_core.storage.remote import FsspecStore
from mu2net_core.storage.store import MOST_NAMES

__all__ = ["SCHEMES", "open_remote"]


def _memory(place: Place, options: Mapping[str, str]) -> Backend:
    from mu2net_core.storage.memory import MemoryBackend

    return MemoryBackend(place, options)


def _s3(place: Place, options: Mapping[str, str]) -> Backend:
    require("s3fs", place.url, "s3")
    from mu2net_core.storage.s3 import S3Backend

    return S3Backend(place, options)


def _gcs(place: Place, options: Mapping[str, str]) -> Backend:
    require("gcsfs", place.url, "gcs")
    from mu2net_core.storage.gcs import GcsBackend

    return GcsBackend(place, options)


def _azure(place: Place, options: Mapping[str, str]) -> Backend:
    require("adlfs", place.url, "azure")
    from mu2net_core.storage.azure import AzureBackend

    return AzureBackend(place, options)


_AZURE = ("abfs", "abfss", "az")
SCHEMES: Mapping[str, Callable[[Place, Mapping[str, str]], Backend]] = {
    "memory": _memory,
    "s3": _s3,
    "gs": _gcs,
    "gcs": _gcs,
    **dict.fromkeys(_AZURE, _azure),
}


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
    return FsspecStore(SCHEMES[scheme](place, options), most_names=most_names, sleep=sleep, clock=clock)
