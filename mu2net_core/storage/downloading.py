"""One file from any URL to this machine, piece by piece and no larger than is accepted."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
from fsspec.registry import known_implementations

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, InvalidInputError, NotFoundError, StorageError
from mu2net_core.redaction import holds_login, looks_secret, shown
from mu2net_core.storage.backend import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    Backend,
    Failure,
    Trouble,
    by_status,
    chain,
    words,
)
from mu2net_core.storage.files import TEMP_PREFIX, make_folder, translate
from mu2net_core.storage.places import parse_place
from mu2net_core.storage.schemes import SCHEMES

__all__ = ["download"]

_PIECE_BYTES = 2**20
_PART_BYTES = 16 * 2**20
_MISSING = (Trouble.NO_KEY, Trouble.NOTHING, Trouble.NO_BUCKET)
_HTTP = ("http", "https")
_WITH_HOST = ("abfs", "abfss", "az")
_AGAIN = "See that this machine is online and the server is up, then run the same command again."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file that is somewhere else: its bytes, how many there are, and what its library's errors mean."""

    pieces: Callable[[], Iterator[tuple[bytes, int | None]]]
    failure: Callable[[Exception], Failure]


def download(
    url: str, target: Path, *, limit: int, progress: Callable[[int, int | None], None] = lambda _done, _total: None
) -> None:
    """Copies the file at ``url`` to ``target``, which is there whole or not at all; messages hold no secrets.

    Args:
        url: of any scheme that fsspec knows.
        target: the file to make; its folder is made if it is not there.
        limit: the most bytes it may have.
        progress: told the bytes that are here, and how many it will be where that is known.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: the URL cannot be read from: its scheme is unknown, or it holds a password.
        CorruptObjectError: it is larger than ``limit``.
        AccessDeniedError: the credentials do not suffice.
        StorageError: the storage or the disk failed.
    """
    temporary = target.parent / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
    try:
        make_folder(target.parent)
        with temporary.open("xb") as file:
            done = 0
            for piece, total in _pieces(url, limit):
                done += file.write(piece)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as exc:
        raise translate(exc, "write", target) from exc
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _pieces(url: str, limit: int) -> Iterator[tuple[bytes, int | None]]:
    """Yields the file's bytes, with how many there are in all if that is known."""
    name, source = shown(url), _source(url)
    done, total = 0, None
    try:
        for piece, total in source.pieces():
            done += len(piece)
            _check_size(name, max(done, total or 0), limit)
            if piece:
                yield piece, total
    except CorruptObjectError:
        raise
    except Exception as exc:
        raise _error(name, url, source.failure(exc)) from exc
    if total is not None and done != total:
        raise StorageError(f"Cannot read {name}: {done} bytes came instead of {total}.", hint=_AGAIN)


def _check_size(name: str, size_bytes: int, limit: int) -> None:
    if size_bytes > limit:
        raise CorruptObjectError(f"{name} is larger than the size limit of {limit} bytes; it was not taken.")


def _error(name: str, url: str, failure: Failure) -> NotFoundError | AccessDeniedError | StorageError:
    if failure.trouble in _MISSING:
        return NotFoundError(f"There is no file {name}.", hint="Correct the URL.")
    message = f"Cannot read {name}: {failure.reason.replace(url, name)}."
    if failure.trouble is Trouble.DENIED:
        return AccessDeniedError(message, hint=failure.hint)
    return StorageError(message, hint=failure.hint or _AGAIN)


def _source(url: str) -> _Source:
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    is_foreign = "@" in rest.partition("/")[0] and scheme not in _WITH_HOST
    if is_foreign or holds_login(url) or ("::" in url and scheme not in _HTTP):
        raise InvalidInputError(
            f"Cannot read {shown(url)}: a URL holds no user name or password, and is one, not several."
        )
    if scheme in SCHEMES and scheme != "memory":
        place = parse_place(url, with_host=scheme in _WITH_HOST)
        if looks_secret(url):
            raise InvalidInputError(f"Cannot read {shown(url)}: the URL holds what looks like a key or a signature.")
        backend = SCHEMES.load(scheme)(place, {})
        return _Source(pieces=partial(_of_bucket, backend, place.root), failure=partial(_bucket_failure, backend))
    if scheme in _HTTP:
        return _web(url)
    if scheme not in known_implementations:
        raise InvalidInputError(
            f"Cannot read {shown(url)}: the scheme {scheme!r} is unknown.",
            hint="Known are s3, gs, abfs, https, file, and what fsspec knows.",
        )
    try:
        fs, path = fsspec.url_to_fs(url)
    except (ImportError, ValueError, TypeError) as exc:
        raise InvalidInputError(f"Cannot read {shown(url)}: {words(exc)}.") from exc
    return _Source(pieces=partial(_of_file, fs, path), failure=_any_failure)


def _web(url: str) -> _Source:
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S)
    fs = fsspec.filesystem("http", client_kwargs={"timeout": timeout}, skip_instance_cache=True)
    return _Source(pieces=partial(_of_file, fs, url, block_size=0), failure=_web_failure)  # in one stream


def _of_bucket(backend: Backend, path: str) -> Iterator[tuple[bytes, int]]:
    """Yields an object in parts; no more of one comes than was asked for, whatever the server sends."""
    total = backend.head(path).size
    yield b"", total
    for start in range(0, total, _PART_BYTES):
        yield backend.get(path, start=start, stop=min(start + _PART_BYTES, total)), total


def _of_file(fs: Any, path: str, **options: Any) -> Iterator[tuple[bytes, int | None]]:
    total = fs.info(path).get("size")
    yield b"", total
    with fs.open(path, "rb", **options) as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece, total


def _bucket_failure(backend: Backend, exc: Exception) -> Failure:
    return _any_failure(exc) if isinstance(exc, FileNotFoundError) else backend.explained(exc)


def _web_failure(exc: Exception) -> Failure:
    from aiohttp import ClientConnectorError, ClientResponseError, TooManyRedirects

    for cause in chain(exc):
        if isinstance(cause, TooManyRedirects):
            return Failure(trouble=Trouble.REFUSED, reason="the server leads from one page to the next without end")
        if isinstance(cause, ClientResponseError):
            return Failure(trouble=by_status(cause.status), reason=f"the server answered {cause.status}")
        if isinstance(cause, (ClientConnectorError, OSError)) and not isinstance(cause, FileNotFoundError):
            return Failure(trouble=Trouble.LOST, reason=words(cause))
    return _any_failure(exc)


def _any_failure(exc: Exception) -> Failure:
    if isinstance(exc, (FileNotFoundError, IsADirectoryError)):
        return Failure(trouble=Trouble.NO_KEY, reason="not there")
    trouble = Trouble.DENIED if isinstance(exc, PermissionError) else Trouble.LOST
    return Failure(trouble=trouble, reason=words(exc))
