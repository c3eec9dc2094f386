"""``doctor``: what this machine and repository can do, and what stands in the way."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Literal

from mu2net_core.api.context import Context
from mu2net_core.api.machine.compile_cache import MAX_SIZE_VARIABLE, CompileCache, why_not_writable
from mu2net_core.api.machine.devices import find_devices
from mu2net_core.api.machine.machine import num_cores
from mu2net_core.api.settings.origins import ALL_VALUES
from mu2net_core.api.setup.setting_checks import wrong_settings
from mu2net_core.api.sharing.check_remote import credentials_of
from mu2net_core.errors import Mu2netError, NotFoundError
from mu2net_core.redaction import shown
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.probing import needs_probe, probe, read_note
from mu2net_core.repo.remotes import connect, read_tracking
from mu2net_core.storage import LocalStore, who_may
from mu2net_core.version import FORMAT, __version__

__all__ = ["Check", "DoctorReport", "doctor"]

_LIBRARIES = (
    *("jax", "jaxlib", "flax", "optax", "numpy", "zarr", "fsspec", "tensorflow-datasets", "array-record"),
    *("scikit-learn", "pillow", "msgspec", "blake3", "isal"),
)
_OPTIONAL = ("s3fs", "gcsfs", "adlfs", "cryptography")
_SCARCE_BYTES = 1 << 30
_PATIENCE_S = 20.0
_CHECK = "mu2net remote check "


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what, e.g. ``storage``.
        outcome: ``ok``; ``warning``: works, but could surprise; ``failed``: something will not work.
        detail: what was found.
        hint: what to do about it.
    """

    name: str
    outcome: Literal["ok", "warning", "failed"]
    detail: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """All checks, in the order they were made."""

    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether nothing failed."""
        return all(check.outcome != "failed" for check in self.checks)


def doctor(repo: Repository | None, context: Context) -> DoctorReport:
    """Returns what was found; ``repo`` is None outside of any repository."""
    checks = [_ok("mu2net", f"{__version__}, repository format {FORMAT}, Python {platform.python_version()}")]
    checks.append(_ok("machine", f"{context.host}: {platform.platform()}, {num_cores()} CPU cores"))
    checks += [_libraries(), _safely("devices", _devices)]
    checks += [_safely("compiled programs", lambda: _compiled(context)), _data(context)]
    if repo is None:
        checks.append(Check(name="repository", outcome="warning", detail="none in this folder", hint="mu2net init"))
        return DoctorReport(checks=tuple(checks))
    checks.append(_ok("repository", f"{repo.path}, preset {repo.config.preset}"))
    checks += [_wrong(text) for text in wrong_settings(repo, context)]
    checks.append(_safely("storage", lambda: _storage(repo, context)))
    checks.append(_disk(repo.path))
    return DoctorReport(checks=(*checks, *_remotes(repo)))


def _wrong(text: str) -> Check:
    return Check(name="settings", outcome="failed", detail=text, hint=ALL_VALUES)


def _ok(name: str, detail: str) -> Check:
    return Check(name=name, outcome="ok", detail=detail)


def _safely(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Mu2netError as exc:
        return Check(name=name, outcome="failed", detail=exc.message, hint=exc.hint)


def _libraries() -> Check:
    found, missing = [], []
    for name in (*_LIBRARIES, *_OPTIONAL):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing += [name] if name in _LIBRARIES else []
    if missing:
        detail = f"missing: {', '.join(missing)}; found: {', '.join(found)}"
        return Check(name="libraries", outcome="failed", detail=detail, hint="pip install --force-reinstall mu2net")
    return _ok("libraries", ", ".join(found))


def _devices() -> Check:
    found = [f"{device.device_kind} ({device.platform}:{device.id})" for device in find_devices()]
    return _ok("devices", ", ".join(found))


def _compiled(context: Context) -> Check:
    cache = CompileCache.of(context)
    problem = why_not_writable(cache.folder)
    if problem is not None:
        return Check(
            name="compiled programs",
            outcome="warning",
            detail=f"{problem}: programs are compiled anew each time, checkpoints downloaded anew",
            hint="Set MU2NET_CACHE_DIR to a folder that can be written.",
        )
    bound = "no bound" if cache.max_bytes is None else f"at most {cache.max_bytes / 1e6:.0f} MB"
    return _ok("compiled programs", f"{cache.folder}: {cache.size_bytes() / 1e6:.1f} MB, {bound} ({MAX_SIZE_VARIABLE})")


def _data(context: Context) -> Check:
    from mu2net_core.data import data_folder

    folder = Path(data_folder(None, context.environ) or "~/tensorflow_datasets").expanduser()
    prepare = "" if _has("tensorflow") else "; new ones cannot be prepared here (pip install 'mu2net[prepare]')"
    if not folder.is_dir():
        variable = "MU2NET_DATA_DIR" if context.environ.get("MU2NET_DATA_DIR") else "TFDS_DATA_DIR"
        detail = f"{shown(str(folder))} {_why_no_folder(folder)}: no TensorFlow data sets yet{prepare}"
        return Check(name="data", outcome="warning", detail=detail, hint=f"Set {variable} to where they are.")
    num_prepared = sum(1 for _ in folder.glob("*/**/dataset_info.json"))
    return _ok("data", f"{folder}: {num_prepared} prepared data sets{prepare}")


def _why_no_folder(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return "is a link that leads nowhere"
    return "is a file" if path.is_file() else "is not there"


def _storage(repo: Repository, context: Context) -> Check:
    report = probe(LocalStore(repo.state / "probed"), now=context.now)
    if report.verdict != "safe":
        hint = "Move the repository to a file system that has hard links."
        if report.verdict == "read-only":
            hint = who_may(repo.state)
        return Check(name="storage", outcome="failed", detail=f"{repo.path}: {report.reason}", hint=hint)
    return _ok("storage", "exclusive creation works")


def _disk(path: Path) -> Check:
    free = shutil.disk_usage(path).free
    detail = f"{free / 1e9:.1f} GB free at {path}"
    if free < _SCARCE_BYTES:
        return Check(name="disk", outcome="warning", detail=detail, hint="Free some space before you evolve.")
    return _ok("disk", detail)


def _remotes(repo: Repository) -> Sequence[Check]:
    """Looks at all remotes at the same time; one that does not answer within a while is not waited for."""
    remotes = [remote for _, remote in sorted(repo.config.remotes.items())]
    found: dict[str, Check] = {}

    def look(remote: Remote) -> None:
        found[remote.name] = _safely(f"remote {remote.name}", lambda: _remote(repo, remote))

    threads = [Thread(target=look, args=[remote], daemon=True) for remote in remotes]
    for thread in threads:
        thread.start()
    end = time.monotonic() + _PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return [found.get(remote.name) or _silent(remote) for remote in remotes]


def _remote(repo: Repository, remote: Remote) -> Check:
    """Reads a remote's settings, and says what a probe found there before; writes nothing."""
    name, reached = f"remote {remote.name}", connect(remote, limits=repo.limits)
    credentials = credentials_of(reached.store)
    note = read_note(repo.state, remote)
    readers = ", ".join(remote.readers or ()) or "everybody"
    probed = f"probed {note.probed_at[:10]}: {note.verdict}" if note else _unprobed(remote)
    parts = [f"for {readers}", *([f"credentials: {credentials}"] if credentials else []), probed]
    try:
        parts.insert(0, f"{remote.url}: reached, preset {reached.config().preset}")
    except NotFoundError as exc:
        if read_tracking(repo.state, remote).heads:
            return Check(name=name, outcome="failed", detail=exc.message, hint="Is a disk or share not mounted?")
        parts.insert(0, f"{remote.url}: no repository yet")
        return Check(name=name, outcome="warning", detail=", ".join(parts), hint=f"mu2net push {remote.name}")
    if note is not None and note.verdict == "unsafe":
        return Check(
            name=name, outcome="failed", detail=f"{', '.join(parts)} ({note.reason})", hint=_CHECK + remote.name
        )
    if note is None and needs_probe(remote):
        return Check(name=name, outcome="warning", detail=", ".join(parts), hint=_CHECK + remote.name)
    return _ok(name, ", ".join(parts))


def _unprobed(remote: Remote) -> str:
    return "never probed; the first push does it" if needs_probe(remote) else "a folder, which needs no probe"


def _silent(remote: Remote) -> Check:
    detail = f"{remote.url}: no answer within {_PATIENCE_S:.0f} s"
    return Check(name=f"remote {remote.name}", outcome="failed", detail=detail, hint=_CHECK + remote.name)


def _has(module: str) -> bool:
    return module in sys.modules or find_spec(module) is not None
