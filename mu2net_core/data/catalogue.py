"""Data set URIs: ``<scheme>:<rest>``, or a bare catalogue name such as ``cmaterdb/bangla``, which means ``tfds:``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mu2net_core.data.archives.endings import without_archive_ending
from mu2net_core.data.places import (
    check_place,
    elsewhere,
    is_foreign,
    mistyped,
    named_scheme,
    place_of,
    told_by_content,
)
from mu2net_core.data.rows.endings import ENDINGS, without_ending
from mu2net_core.data.rows.shards import name_of
from mu2net_core.data.source import Options, Source, SourceFactory
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import LIMITS, Limits
from mu2net_core.plugins import Registry

__all__ = [
    "SOURCES",
    "absolute_uri",
    "data_folder",
    "default_name",
    "is_bare",
    "is_catalogue",
    "is_file",
    "is_of_images",
    "is_of_rows",
    "local_path",
    "open_source",
    "shared_uri",
    "split_uri",
]

SOURCES: Registry[SourceFactory] = Registry(
    group="mu2net.sources",
    what="kind of data source",
    shipped={
        "archive": "mu2net_core.data.sources.folder:open_archive",
        "csv": "mu2net_core.data.rows.source:open_csv",
        "datasets": "mu2net_core.data.rows.source:open_datasets",
        "folder": "mu2net_core.data.sources.folder:open_folder",
        "jsonl": "mu2net_core.data.rows.source:open_jsonl",
        "npz": "mu2net_core.data.sources.npz:open_arrays",
        "parquet": "mu2net_core.data.rows.source:open_parquet",
        "sklearn": "mu2net_core.data.sources.digits:open_digits",
        "tfds": "mu2net_core.data.sources.tfds:open_tfds",
        "webdataset": "mu2net_core.data.rows.source:open_webdataset",
    },
    offers=("__call__",),
)
"""What opens the sources there are, by the scheme of their URIs."""
_IMAGE_FILES = {"archive", "folder"}
_FILE_SCHEMES = {*_IMAGE_FILES, "npz", *ENDINGS}
_PATHS = ("/", ".", "~")
"""What a path begins with that needs no ending to be known as one."""
_CATALOGUES = {"sklearn", "tfds"}
_VERSION = re.compile(r"[0-9*]+(\.[0-9*]+)*")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._+-]+")


def data_folder(option: str | None, environ: Mapping[str, str]) -> str | None:
    """Returns where prepared data sets lie: the option, ``MU2NET_DATA_DIR``, ``TFDS_DATA_DIR``, or None (default)."""
    return option or environ.get("MU2NET_DATA_DIR") or environ.get("TFDS_DATA_DIR") or None


def split_uri(uri: str) -> tuple[str, str]:
    """Returns (scheme, rest) of a URI; a bare catalogue name gets the scheme ``tfds``, a path what its ending says.

    Raises:
        InvalidInputError: it is empty.
        NotFoundError: nobody knows the scheme.
    """
    scheme, colon, rest = uri.partition(":")
    is_path = uri.startswith(_PATHS)
    if (is_path or not colon) and (kind := named_scheme(uri) or ("folder" if is_path else None)):
        return kind, uri
    if not colon or (scheme not in SOURCES and _VERSION.fullmatch(rest)):
        scheme, rest = "tfds", uri
    if not rest:
        raise InvalidInputError(f"Not a data set: {uri!r}.", hint="Examples: cmaterdb/bangla, folder:PATH.")
    if scheme not in SOURCES:
        near = SOURCES.near(scheme)
        raise NotFoundError(
            f"Unknown kind of data source {scheme!r} in {uri!r}; known: {', '.join(SOURCES.names())}.",
            hint=f"Did you mean {near}:{rest}?" if near else None,
        )
    return scheme, rest


def open_source(
    uri: str, *, options: Options | None = None, data_dir: str | None = None, limits: Limits = LIMITS
) -> Source:
    """Returns the source a URI names.

    Args:
        uri: as given by a user, or as stored in a task.
        options: of the source, e.g. ``{"depth": 2}``.
        data_dir: where prepared catalogue data lies; None means the catalogue's default.
        limits: of this machine.

    Raises:
        NotFoundError: unknown scheme, data set, file or folder; a PluginError if what reads it cannot be imported.
        DataError: it is there but cannot be used.
    """
    scheme, rest = split_uri(uri)
    if scheme in _FILE_SCHEMES:
        check_place(scheme, Path(rest))
    return SOURCES.load(scheme)(rest, options=dict(options or {}), data_dir=data_dir, limits=limits)


def absolute_uri(uri: str, cwd: Path) -> str:
    """Returns ``uri`` with a file path made absolute, so that it means the same from every folder.

    Raises:
        InvalidInputError: it is a path without a scheme, a URL or nothing; the hint knows what lies there.
        NotFoundError: nobody knows the scheme.
    """
    try:
        scheme, rest = split_uri(uri)
    except (InvalidInputError, NotFoundError) as exc:
        raise mistyped(uri, cwd, exc) from exc
    if scheme not in _FILE_SCHEMES:
        return uri
    if "://" in rest:
        raise elsewhere(uri)
    if is_foreign(rest) and place_of(rest, cwd) is None:
        raise mistyped(rest, cwd, NotFoundError(f"No such place: {rest}."))
    try:
        path = (cwd / Path(rest).expanduser()).resolve()
        return f"{scheme if rest != uri else told_by_content(scheme, path)}:{path}"
    except (OSError, ValueError, RuntimeError) as exc:
        raise InvalidInputError(f"Not a path: {rest!r} ({exc}).") from exc


def shared_uri(uri: str) -> str:
    """Returns what others may know of a URI: of a path only its last part, the place being this machine's own."""
    scheme, _, rest = uri.partition(":")
    return f"{scheme}:{Path(rest).name or scheme}" if is_file(uri) else uri


def is_file(uri: str) -> bool:
    """Returns whether a URI names a file or folder."""
    return uri.partition(":")[0] in _FILE_SCHEMES


def is_of_images(uri: str) -> bool:
    """Returns whether a URI names a folder or archive of images."""
    return uri.partition(":")[0] in _IMAGE_FILES


def is_of_rows(uri: str) -> bool:
    """Returns whether a URI names a file or folder of rows."""
    return uri.partition(":")[0] in ENDINGS


def is_bare(uri: str) -> bool:
    """Returns whether a URI is the name of a catalogue's data set, without ``tfds:`` before it."""
    return split_uri(uri) == ("tfds", uri)


def local_path(uri: str, cwd: Path) -> Path | None:
    """Returns the file or folder that a URI names, relative to ``cwd``; None where it names none.

    Raises:
        InvalidInputError, NotFoundError: as ``absolute_uri``.
    """
    absolute = absolute_uri(uri, cwd)
    return Path(absolute.partition(":")[2]) if is_file(absolute) else None


def is_catalogue(uri: str) -> bool:
    """Returns whether a stored task's URI names public data by its name, the same on every machine, and no place."""
    return uri.partition(":")[0] in _CATALOGUES


def default_name(uri: str) -> str:
    """Returns the task name a URI suggests: a catalogue name without version, the last part of a path."""
    scheme, rest = split_uri(uri)
    if scheme in _FILE_SCHEMES:
        path = Path(rest)
        stem = path.stem if scheme == "npz" else path.name
        stem = without_ending(stem) if scheme in ENDINGS else stem
        stem = without_archive_ending(stem) if scheme == "archive" else stem
        stem = name_of(path) if scheme == "webdataset" else stem
        rest = stem or path.anchor
    elif scheme == "tfds":
        rest = rest.partition(":")[0]
    segments = (_NOT_IN_NAMES.sub("-", segment.lower()).strip("-._+") for segment in rest.split("/"))
    return "/".join(segment for segment in segments if segment) or "task"
