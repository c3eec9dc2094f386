"""Whether a place can hold a repository that several people push to: tried, not believed.

Everything rests on one promise: of several writers that create the same key, exactly one is told that it did. Some
servers ignore the condition; some keep it only while nobody else writes at the same moment. So a second creation is
tried, and then many at once.

What the probe writes lies below ``probe/``, which is no part of a repository. It is removed again. Where nothing may be
deleted (append-only), the same few keys serve every probe of a working copy. That somebody else's races ended well is
not believed, for whoever may write there may write that, too; that they ended badly is.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from statistics import median
from typing import Literal, TypeVar

from mu2net_core.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    CredentialsExpiredError,
    Mu2netError,
    NotFoundError,
    StorageError,
)
from mu2net_core.objects import LIMITS
from mu2net_core.repo.core import CONFIG, PROBE
from mu2net_core.repo.probing.races import race
from mu2net_core.storage import Store, unshared

__all__ = ["ProbeReport", "Verdict", "probe", "refusal"]

Verdict = Literal["safe", "append-only", "read-only", "unsafe"]
T = TypeVar("T")

_READS = 2
_ROUNDS = 6
_ROUNDS_LOCAL = 2
_LARGEST_BYTES = 4096
_OLD = timedelta(hours=1)
_RIGHTS = f"{PROBE}/rights"
_KEPT = f"{PROBE}/kept/"
_RACED = f"{_KEPT}raced"
_UNDELETABLE = "nothing can be deleted there, so gc and purge cannot work on it"
_RETAINED = "what is written there cannot be deleted for a while (Object Lock), so gc and purge would only hide it"
_VERSIONS = "what is deleted there stays as an older version, until the bucket's own rules remove it"
_ONE_WON, _SEVERAL_WON = b"one writer won every race\n", b"several writers won a race\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What was found at a place that was reached and may be read.

    Attributes:
        url: the place, without secrets.
        verdict: ``safe`` to push to; ``append-only``: likewise, but nothing can be deleted; ``read-only``: good for
            clone, fetch and pull; ``unsafe``: writers would lose each other's work.
        reason: what stands in the way, if anything does.
        rights: of ``read``, ``list``, ``create`` and ``delete``, those that we have.
        is_repository: whether there is one.
        num_races: races that were run now; 0 where an earlier probe ran them, or nothing may be written.
        skew_s: seconds its clock is ahead of ours (negative: behind); None if nothing was written.
        read_s: median seconds to read a small object.
        create_s: median seconds to create one; None if none was.
        remark: what is worth knowing: a folder set up for a group that may not write to all of it; a bucket that
            keeps versions of what is deleted.
    """

    url: str
    verdict: Verdict
    reason: str | None = None
    rights: tuple[str, ...]
    is_repository: bool
    num_races: int = 0
    skew_s: float | None = None
    read_s: float
    create_s: float | None = None
    remark: str | None = None

    @property
    def can_push(self) -> bool:
        """Whether pushing there is right."""
        return self.verdict in {"safe", "append-only"}


def probe(
    store: Store,
    *,
    now: Callable[[], datetime],
    clock: Callable[[], float] = time.perf_counter,
    has_raced: bool = False,
) -> ProbeReport:
    """Returns what ``store`` allows and keeps; what was written for it is removed again where that is allowed.

    Args:
        store: the place.
        now: our clock.
        clock: seconds, for durations.
        has_raced: whether this working copy ran the races there before, which where nothing may be deleted is enough.

    Raises:
        AccessDeniedError: it may not be read, or not be listed.
        StorageError: it cannot be reached.
        NotFoundError: what should hold it, e.g. the bucket, is not there.
    """
    session = _Probe(store=store, now=now, clock=clock, has_raced=has_raced)
    with _folders_as_before(store):
        try:
            return session.run()
        finally:
            session.clear()


def refusal(report: ProbeReport) -> Mu2netError | None:
    """Returns the error that keeps one from pushing to a place, or None if it is fine."""
    if report.verdict == "unsafe":
        return StorageError(
            f"Cannot share through {report.url}: {report.reason}. Two people who push at the same moment would lose "
            "each other's work.",
            hint="Use a storage that creates exclusively: Amazon S3, Google Cloud Storage, Azure Blob Storage, Ceph "
            "RGW, or a folder. Behind a proxy or gateway, see that it passes the header If-None-Match on.",
        )
    if report.verdict == "read-only":
        return AccessDeniedError(
            f"Cannot push to {report.url}: {report.reason}.",
            hint="Fetch, pull and clone work. To push, use credentials that may create objects there, or ask whoever "
            "runs it for that right.",
        )
    return None


@dataclass(slots=True, kw_only=True)
class _Probe:
    """One probe while it runs."""

    store: Store
    now: Callable[[], datetime]
    clock: Callable[[], float]
    has_raced: bool
    is_repository: bool = False
    can_delete: bool = False
    left_before: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    reads_s: list[float] = field(default_factory=list)
    creates_s: list[float] = field(default_factory=list)
    num_races: int = 0
    is_retained: bool = False
    written_at: datetime | None = None
    skew_s: float | None = None

    def run(self) -> ProbeReport:
        """Returns what was found."""
        self._look()
        try:
            self.can_delete = self._try_rights()
            folder = f"{PROBE}/{uuid.uuid4().hex if self.can_delete else 'kept'}"
            reason = self._try_twice(f"{folder}/one") or self._try_races(folder)
        except CredentialsExpiredError:
            raise
        except AccessDeniedError as exc:
            self._look()  # what may not be written may still be read, or else that is the trouble
            return self._report("read-only", exc.message.rstrip("."))
        if reason:
            return self._report("unsafe", reason)
        if self.can_delete:
            return self._report("safe", None)
        return self._report("append-only", _RETAINED if self.is_retained else _UNDELETABLE)

    def clear(self) -> None:
        """Removes what was written, and what probes left that were killed a while ago."""
        for key in self.made if self.can_delete else ():
            with suppress(Mu2netError):  # what was found out stands all the same
                self.store.delete(key)
        if self.can_delete and self.written_at is not None:
            self._clear_before(self.written_at - _OLD)

    def _clear_before(self, moment: datetime) -> None:
        for key in self.left_before:
            with suppress(Mu2netError):
                if self.store.modified(key) < moment:
                    self.store.delete(key)

    def _report(self, verdict: Verdict, reason: str | None) -> ProbeReport:
        file = self.store.local_path(CONFIG)
        return ProbeReport(
            url=self.store.url,
            verdict=verdict,
            reason=reason,
            rights=_rights(can_create=verdict != "read-only", can_delete=self.can_delete),
            is_repository=self.is_repository,
            num_races=self.num_races,
            skew_s=self.skew_s,
            read_s=median(self.reads_s),
            create_s=median(self.creates_s) if self.creates_s else None,
            remark=unshared(file.parent) if file is not None else self._versions(),
        )

    def _versions(self) -> str | None:
        return _VERSIONS if self.can_delete and getattr(self.store, "keeps_versions", False) else None

    def _look(self) -> None:
        """Reads and lists: who may not list cannot tell what is missing from what is forbidden."""
        denied: AccessDeniedError | None = None
        try:
            self._timed(self.reads_s, lambda: self.store.read(CONFIG, limit=LIMITS.config_bytes))
            self.is_repository = True
        except NotFoundError:
            pass
        except CredentialsExpiredError:
            raise
        except AccessDeniedError as exc:
            denied = exc
        try:
            self.left_before = [key for key in self.store.list(PROBE) if not key.startswith(_KEPT)]
        except CredentialsExpiredError:
            raise
        except AccessDeniedError as exc:
            raise AccessDeniedError(
                f"{exc.message} Without the right to list, what is missing looks as if it were forbidden.",
                hint="Grant the right to list too (S3: s3:ListBucket, Google: storage.objects.list, Azure: List).",
            ) from exc
        if denied is not None:
            raise denied

    def _try_rights(self) -> bool:
        """Creates a key that is the same for every probe; returns whether it may be deleted again."""
        self._create(_RIGHTS, b"written to see who may write\n")
        is_retained = getattr(self.store, "is_retained", None)  # only buckets have locks
        self.is_retained = is_retained is not None and is_retained(_RIGHTS)
        if self.is_retained:
            return False
        try:
            self.store.delete(_RIGHTS)
        except CredentialsExpiredError:
            raise
        except AccessDeniedError:
            return False
        return True

    def _try_twice(self, key: str) -> str | None:
        """Creates ``key`` and then once more with other bytes; returns what is wrong."""
        first, second = f"first {uuid.uuid4()}\n".encode(), f"second {uuid.uuid4()}\n".encode()
        try:
            is_new = self._create(key, first)
        except AlreadyExistsError:
            is_new, first = False, self.store.read(key, limit=_LARGEST_BYTES)
        if is_new:
            self._compare_clocks(key)
        if self._read(key) != first:
            return "what was just written there is not what is read back"
        try:
            self.store.create(key, second)
        except AlreadyExistsError:
            return None if self._read(key) == first else "a creation that was refused changed the object all the same"
        return "it lets a second writer overwrite what must be created only once (it ignores the condition)"

    def _try_races(self, folder: str) -> str | None:
        """Lets many writers create the same key at once, several times; returns what is wrong."""
        if not self.can_delete:
            with suppress(NotFoundError):
                said = self.store.read(_RACED, limit=_LARGEST_BYTES)
                if self.has_raced or said != _ONE_WON:
                    return _said_before(said)
            folder = f"{_KEPT}{uuid.uuid4().hex}"
        rounds = _ROUNDS if self.store.local_path(CONFIG) is None else _ROUNDS_LOCAL
        for number in range(rounds):
            key = f"{folder}/race-{number}"
            self.made.append(key)
            ended = race(self.store, key)
            self.num_races += ended.was_won
            if ended.problem is not None:
                self._keep(_SEVERAL_WON)
                return ended.problem
        if self.num_races == rounds:
            self._keep(_ONE_WON)
        return None

    def _keep(self, verdict: bytes) -> None:
        """Writes down how the races ended where no further ones can be run without leaving more behind."""
        if not self.can_delete:
            with suppress(AlreadyExistsError):
                self.store.create(_RACED, verdict)

    def _compare_clocks(self, key: str) -> None:
        before = self.now()
        self.written_at = self.store.modified(key)
        self.skew_s = round((self.written_at - before).total_seconds() + self.creates_s[-1] / 2, 1)

    def _create(self, key: str, data: bytes) -> bool:
        self.made.append(key)
        durations: list[float] = []
        is_new = self._timed(durations, lambda: self.store.create(key, data))
        self.creates_s += durations if is_new else []
        return is_new

    def _read(self, key: str) -> bytes | None:
        """Returns the bytes at a key that must be there, None if they are not; measures a few reads."""
        try:
            for _ in range(_READS):
                data = self._timed(self.reads_s, lambda: self.store.read(key, limit=_LARGEST_BYTES))
        except NotFoundError:
            return None
        return data

    def _timed(self, durations: list[float], call: Callable[[], T]) -> T:
        started = self.clock()
        try:
            return call()
        finally:
            durations.append(self.clock() - started)


def _rights(*, can_create: bool, can_delete: bool) -> tuple[str, ...]:
    return ("read", "list", *(["create"] if can_create else []), *(["delete"] if can_delete else []))


def _said_before(verdict: bytes) -> str | None:
    if verdict == _ONE_WON:
        return None
    return f"racing writers overwrote each other when it was first probed (it says so in {_RACED})"


@contextmanager
def _folders_as_before(store: Store) -> Iterator[None]:
    """Removes, in a local folder, the folders that did not exist before the block and are empty after it."""
    file = store.local_path(CONFIG)
    root = file.parent if file is not None else None
    new = list(takewhile(lambda f: not f.exists(), (root, *root.parents))) if root is not None else []
    try:
        yield
    finally:
        if root is not None:
            there = (root / PROBE).is_dir() and not (root / PROBE).is_symlink()
            inside = sorted((root / PROBE).glob("*/")) if there else []
            for folder in (*inside, root / PROBE, *new):
                with suppress(OSError):
                    folder.rmdir()
