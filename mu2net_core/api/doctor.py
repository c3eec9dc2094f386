"""``doctor``: what this machine and repository can do, and what stands in the way."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mu2net_core.api.context import Context
from mu2net_core.errors import AlreadyExistsError, Mu2netError
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.remotes import connect
from mu2net_core.storage import LocalStore, Store
from mu2net_core.version import FORMAT, __version__

__all__ = ["Check", "DoctorReport", "doctor", "probe"]

_LIBRARIES = (
    *("jax", "jaxlib", "flax", "optax", "numpy", "zarr", "fsspec", "tensorflow-datasets", "array-record"),
    *("scikit-learn", "pillow", "msgspec", "blake3", "isal"),
)
_SCARCE_BYTES = 1 << 30


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
    checks.append(_ok("machine", f"{context.host}: {platform.platform()}, {_cores()} CPU cores"))
    checks += [_libraries(), _safely("devices", _devices), _data(context)]
    if repo is None:
        checks.append(Check(name="repository", outcome="warning", detail="none in this folder", hint="mu2net init"))
        return DoctorReport(checks=tuple(checks))
    checks.append(_ok("repository", f"{repo.path}, preset {repo.config.preset}"))
    checks.append(_safely("storage", lambda: _storage(repo)))
    checks.append(_disk(repo.path))
    for name, remote in sorted(repo.config.remotes.items()):
        checks.append(_safely(f"remote {name}", partial(_remote, remote)))
    return DoctorReport(checks=tuple(checks))


def probe(store: Store) -> str | None:
    """Returns what is wrong with exclusive creation in ``store``, or None: creates a key twice, then removes it."""
    key = f"probe-{uuid.uuid4().hex}"
    try:
        store.create(key, b"first")
        try:
            store.create(key, b"second")
        except AlreadyExistsError:
            return None if store.read(key) == b"first" else "a refused second write changed the bytes"
        return "a second write to the same key was not refused"
    finally:
        store.delete(key)


def _ok(name: str, detail: str) -> Check:
    return Check(name=name, outcome="ok", detail=detail)


def _safely(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Mu2netError as exc:
        return Check(name=name, outcome="failed", detail=exc.message, hint=exc.hint)


def _libraries() -> Check:
    found, missing = [], []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        detail = f"missing: {', '.join(missing)}; found: {', '.join(found)}"
        return Check(name="libraries", outcome="failed", detail=detail, hint="pip install --force-reinstall mu2net")
    return _ok("libraries", ", ".join(found))


def _devices() -> Check:
    import jax

    try:
        devices = jax.devices()
    except RuntimeError as exc:
        detail = f"JAX finds no device: {exc}"
        return Check(name="devices", outcome="failed", detail=detail, hint="Set JAX_PLATFORMS=cpu to use the CPU.")
    return _ok("devices", ", ".join(f"{device.device_kind} ({device.platform}:{device.id})" for device in devices))


def _data(context: Context) -> Check:
    from mu2net_core.data import data_folder

    folder = Path(data_folder(None, context.environ) or "~/tensorflow_datasets").expanduser()
    prepare = "" if _has("tensorflow") else "; new ones cannot be prepared here (pip install 'mu2net[prepare]')"
    if not folder.is_dir():
        variable = "MU2NET_DATA_DIR" if context.environ.get("MU2NET_DATA_DIR") else "TFDS_DATA_DIR"
        detail = f"{folder} is not there: no TensorFlow data sets yet{prepare}"
        return Check(name="data", outcome="warning", detail=detail, hint=f"Set {variable} to where they are.")
    num_prepared = sum(1 for _ in folder.glob("*/**/dataset_info.json"))
    return _ok("data", f"{folder}: {num_prepared} prepared data sets{prepare}")


def _storage(repo: Repository) -> Check:
    wrong = probe(LocalStore(repo.state / "probe"))
    if wrong:
        hint = "Move the repository to a file system that has hard links."
        return Check(name="storage", outcome="failed", detail=f"{repo.path}: {wrong}", hint=hint)
    return _ok("storage", "exclusive creation works")


def _disk(path: Path) -> Check:
    free = shutil.disk_usage(path).free
    detail = f"{free / 1e9:.1f} GB free at {path}"
    if free < _SCARCE_BYTES:
        return Check(name="disk", outcome="warning", detail=detail, hint="Free some space before you evolve.")
    return _ok("disk", detail)


def _remote(remote: Remote) -> Check:
    config = connect(remote).config()
    readers = "everybody" if remote.readers is None else ", ".join(remote.readers)
    return _ok(f"remote {remote.name}", f"{remote.url}: reached, preset {config.preset}, for {readers}")


def _has(module: str) -> bool:
    return module in sys.modules or find_spec(module) is not None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
