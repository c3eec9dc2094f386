"""What probes found, noted in ``state/probes``, a file for each remote, so that pushing costs no further question.

A note holds for one URL, one set of options and one version of the software that speaks to it. Only a good verdict is
relied on: rights that were missing may have been granted, and a server that was unsafe replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.objects import decode, encode, file_name
from mu2net_core.repo.core import Remote
from mu2net_core.repo.probing.place_probe import ProbeReport, Verdict, probe, refusal
from mu2net_core.repo.remotes import RemoteRepository, check_vacant, connect, read_tracking
from mu2net_core.storage import read_if_there, replace_file, translated
from mu2net_core.version import __version__

__all__ = ["Note", "check_vetted", "forget_note", "needs_probe", "read_note", "vet"]

_CLIENTS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
}
_GOOD = ("safe", "append-only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """How a probe of a remote ended.

    Attributes:
        url: of the remote then.
        options: of the remote then.
        clients: names and versions of what spoke to it.
        verdict: what was found.
        reason: what stands in the way, if anything does.
        probed_at: when, in UTC.
        has_raced: whether races were run there by this working copy, and ended well.
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    clients: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict
    reason: str | None = None
    probed_at: str
    has_raced: bool = False


def vet(state: Path, reached: RemoteRepository, *, now: Callable[[], datetime]) -> ProbeReport:
    """Returns what a probe finds at a remote, and notes it.

    Args:
        state: the folder of local state of the working copy.
        reached: what to probe.
        now: our clock.

    Raises:
        InvalidInputError: it holds other things; nothing is written there then.
        StorageError: it cannot be reached.
        AccessDeniedError: it may not be read, or not be listed.
    """
    remote = reached.remote
    known = read_tracking(state, remote)
    if needs_probe(remote) and not (known.heads or known.roots or reached.exists()):
        check_vacant(reached.store)  # where there was a repository, its settings may be lost, which a push puts right
    before = read_note(state, remote)
    has_raced = before is not None and before.has_raced
    report = probe(reached.store, now=now, has_raced=has_raced)
    note = Note(
        url=remote.url,
        options=dict(remote.options),
        clients=_clients(remote),
        verdict=report.verdict,
        reason=report.reason,
        probed_at=now().astimezone(UTC).isoformat(timespec="seconds"),
        has_raced=report.can_push and (has_raced or report.num_races > 0),
    )
    replace_file(_file(state, remote.name), encode(note))
    return report


def read_note(state: Path, remote: Remote) -> Note | None:
    """Returns how the last probe of ``remote`` ended; None if it was never probed at this URL with these options."""
    data = read_if_there(_file(state, remote.name))
    try:
        note = decode(data or b"", Note, what=f"what was found at {remote.name}")
    except CorruptObjectError:
        return None
    return note if (note.url, dict(note.options)) == (remote.url, dict(remote.options)) else None


def forget_note(state: Path, name: str) -> None:
    """Removes the note on the remote called ``name``; none is fine."""
    file = _file(state, name)
    with translated("delete", file):
        file.unlink(missing_ok=True)


def check_vetted(state: Path, remote: Remote, *, now: Callable[[], datetime]) -> None:
    """Checks that several people can push to ``remote``; probes it if no good verdict of this software is noted.

    A folder is not probed: there creation is a hard link, made by this program itself, and fails where it cannot be.

    Raises:
        StorageError: it is unsafe, or cannot be reached.
        AccessDeniedError: it may only be read.
    """
    if not needs_probe(remote):
        return
    note = read_note(state, remote)
    if note is not None and note.verdict in _GOOD and dict(note.clients) == _clients(remote):
        return
    error: Mu2netError | None = refusal(vet(state, connect(remote), now=now))
    if error is not None:
        raise error


def needs_probe(remote: Remote) -> bool:
    """Returns whether it must be tried before anything is pushed; a folder need not be."""
    return "://" in remote.url


def _clients(remote: Remote) -> Mapping[str, str]:
    """Returns the versions of what speaks to ``remote``: another one may treat the condition otherwise."""
    from importlib import metadata  # 20 ms, which listing remotes need not wait for

    client = _CLIENTS.get(remote.url.partition("://")[0].lower())
    versions = {"mu2net": __version__}
    if client is not None:
        try:
            versions[client] = metadata.version(client)
        except metadata.PackageNotFoundError:
            versions[client] = "missing"
    return versions


def _file(state: Path, name: str) -> Path:
    return state / "probes" / f"{file_name(name)}.json"
