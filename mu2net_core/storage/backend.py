"""What a kind of storage does in single requests, and how it says what went wrong."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from threading import Lock
from typing import Any, ClassVar, TypeVar

from fsspec.asyn import sync

from mu2net_core.errors import InvalidInputError
from mu2net_core.redaction import redact
from mu2net_core.storage.places import Place

__all__ = [
    "CONNECT_TIMEOUT_S",
    "PUBLIC_HINT",
    "READ_TIMEOUT_S",
    "Backend",
    "EndlessAnswerError",
    "Failure",
    "ForeignAnswerError",
    "Info",
    "Trouble",
    "by_status",
    "chain",
    "expired",
    "foreign",
    "foreign_words",
    "words",
]

T = TypeVar("T")
_NO_STORAGE = (
    "No storage does that by itself: see who runs that server, and whether something else answers in its place."
)

PUBLIC_HINT = "What is open to everybody needs none: --anonymous (later: mu2net remote set NAME --anonymous)."
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 15
_SLOWEST_BYTES_S = 64 * 1024


class Trouble(Enum):
    """What a failed request means for whoever sent it."""

    NO_KEY = auto()  # the bucket is there, the object is not
    NOTHING = auto()  # no such object, or no such bucket: the answer does not say
    NO_BUCKET = auto()
    THERE = auto()  # somebody wrote or is writing this object; perhaps this very client, before a lost reply
    DENIED = auto()
    EXPIRED = auto()  # the credentials were good, and are no more
    BUSY = auto()  # answered: not now
    AWAY = auto()  # nobody could be reached: nothing was sent
    LOST = auto()  # no whole answer: the request may have been done or not
    FOREIGN = auto()  # what answers is no such storage
    REFUSED = auto()  # and would be again


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed request.

    Attributes:
        trouble: what it means.
        reason: for people; holds no secret.
        hint: what can be done about it, if something special can.
    """

    trouble: Trouble
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What a storage knows about an object.

    Attributes:
        size: number of bytes.
        modified: when it was written, by the storage's clock, in UTC.
        md5: of its bytes, if the storage says; what it says is a hint, for some encrypt and hash afterwards.
        is_retained: whether the storage says that it cannot be deleted for a while.
    """

    size: int
    modified: datetime
    md5: bytes | None = None
    is_retained: bool = False


class ForeignAnswerError(Exception):
    """A success in the words of HTTP whose answer is none of this kind of storage."""


class EndlessAnswerError(Exception):
    """More bytes than are accepted of an answer; the rest was not read."""


class Backend(ABC):
    """One bucket of one kind of storage. Paths are keys of the bucket; every method but ``connect`` is one request.

    The file system is made at the first request: only then are credentials looked for. Nothing here tries twice,
    and failures are the library's own exceptions, which ``failure`` explains.

    Attributes:
        options: the names of the options it understands.
        bucket_word: what its users call a bucket.
        keeps_versions: whether it was seen that what is deleted stays there as an older version.
    """

    options: ClassVar[frozenset[str]] = frozenset()
    bucket_word: ClassVar[str] = "bucket"

    def __init__(self, place: Place, options: Mapping[str, str]) -> None:
        if unknown := sorted(set(options) - self.options):
            takes = ", ".join(sorted(self.options)) or "none"
            raise InvalidInputError(f"Cannot open {place.url} with the option {unknown[0]!r}: it takes {takes}.")
        if options.get("anonymous", "true") not in ("true", "false"):
            raise InvalidInputError(f"Option anonymous: expected true or false; got {options['anonymous']!r}.")
        self.place = place
        self.bucket = place.bucket
        self.given = options
        self.anonymous = options.get("anonymous") == "true"
        self.keeps_versions = False
        self._lock = Lock()
        self._fs: Any = None

    @property
    def fs(self) -> Any:
        """The fsspec file system; made when first asked for."""
        with self._lock:
            if self._fs is None:
                self._fs = self.connect()
            return self._fs

    def run(self, call: Callable[..., Coroutine[Any, Any, T]], *args: Any, num_bytes: int | None = 0, **more: Any) -> T:
        """Returns what ``call`` returns on the file system's event loop.

        Args:
            call: one request.
            *args: its arguments.
            num_bytes: how many it moves at most: a request that takes longer than even a slow line needs for them is
                given up with TimeoutError; None: only a line that is silent for long is.
            **more: its arguments.
        """
        limit_s = None if num_bytes is None else CONNECT_TIMEOUT_S + READ_TIMEOUT_S + num_bytes / _SLOWEST_BYTES_S

        async def bounded() -> T:
            return await asyncio.wait_for(call(*args, **more), limit_s)

        result: T = sync(self.fs.loop, bounded)
        return result

    @abstractmethod
    def connect(self) -> Any:
        """Returns the fsspec file system."""

    @abstractmethod
    def get(self, path: str, *, start: int = 0, stop: int | None) -> bytes:
        """Returns the object from byte ``start`` up to ``stop``, or to its end; no more is read of what comes."""

    @abstractmethod
    def put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        """Writes an object; ``exclusive``: only if there is none."""

    @abstractmethod
    def head(self, path: str) -> Info:
        """Returns what is known about an object."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Removes an object."""

    @abstractmethod
    def page(self, prefix: str, after: Any) -> tuple[Sequence[str], Any]:
        """Returns some of the objects below ``prefix``, and where the next page begins; None ends it."""

    @abstractmethod
    def look(self) -> None:
        """Looks at the bucket itself, which fails if there is none."""

    @abstractmethod
    def failure(self, exc: Exception) -> Failure:
        """Returns what went wrong."""

    def explained(self, exc: Exception) -> Failure:
        """Returns what went wrong; likewise where a server was cut off that sent too much."""
        if (too_much := next(filter(None, map(_too_much, chain(exc))), None)) is not None:
            return Failure(trouble=Trouble.REFUSED, reason=str(too_much), hint=_NO_STORAGE)
        return self.failure(exc)

    @abstractmethod
    def credentials(self) -> str:
        """Returns which credentials are used, in words, or where they were looked for; never a secret."""


def by_status(status: int) -> Trouble:
    """Returns what an HTTP status of a failed request means."""
    if status == 404:
        return Trouble.NOTHING
    if status in (409, 412):
        return Trouble.THERE
    if status in (401, 403, 407):
        return Trouble.DENIED
    if status == 408:
        return Trouble.LOST
    return Trouble.BUSY if status == 429 or (status >= 500 and status != 501) else Trouble.REFUSED


def expired(reason: str, renew: str) -> Failure:
    """Returns the failure of a request whose credentials are too old; ``renew`` says how to get new ones."""
    hint = (
        f"The credentials have expired: get new ones ({renew}), then run the same command again, it goes on from there."
    )
    return Failure(trouble=Trouble.EXPIRED, reason=reason, hint=hint)


def foreign(said: str, server: str | None, kind: str) -> Failure:
    """Returns the failure of a request that something else than a storage of this ``kind`` answered, e.g. a web page.

    Args:
        said: what it answered.
        server: where, if that is known.
        kind: the storage's name.
    """
    what = "a web page" if "html" in said else "something else"
    return Failure(
        trouble=Trouble.FOREIGN,
        reason=f"{what} answers{f' at {server}' if server else ''}, not {kind} ({said})",
        hint="See what a browser shows there. A server's web console has another port than its storage, some networks "
        "want a log-in first, and some proxies answer for others.",
    )


def foreign_words(exc: BaseException) -> str | None:
    """Returns what something else answered than the storage that was asked; None if ``exc`` does not say so."""
    from aiohttp import TooManyRedirects

    if isinstance(exc, ForeignAnswerError):
        return str(exc)
    if isinstance(exc, TooManyRedirects) or isinstance(getattr(exc, "kwargs", {}).get("error"), TooManyRedirects):
        return "html that leads from one page to the next"
    return None


def _too_much(exc: BaseException) -> EndlessAnswerError | None:
    """Returns the error of an answer that was too large, if ``exc`` is or holds it."""
    held = getattr(exc, "kwargs", {}).get("error")  # as botocore wraps
    return next((one for one in (exc, held) if isinstance(one, EndlessAnswerError)), None)


def chain(exc: BaseException | None) -> Iterator[BaseException]:
    """Yields an exception and what it was raised from, but not what was only being handled then."""
    while exc is not None:
        yield exc
        exc = exc.__cause__


def words(exc: BaseException) -> str:
    """Returns the first line of what an exception says, without secrets."""
    text = str(exc).strip().splitlines()
    if not text:
        return "no answer in time" if isinstance(exc, TimeoutError) else type(exc).__name__
    return redact(text[0].rstrip("."))
