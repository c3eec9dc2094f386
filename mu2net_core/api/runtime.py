"""What every verb that computes shares: the compilation cache, the device, the task's examples on it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.data import absolute_uri, data_folder, load_split
from mu2net_core.engine.child import Split
from mu2net_core.objects import Architecture, Task
from mu2net_core.repo import Repository
from mu2net_core.repo.config import DATA
from mu2net_core.version import __version__

__all__ = ["device_split", "host_split", "prepare_jax", "provenance"]

_RECORDED = ("jax", "flax", "optax", "numpy")
_TOLD: set[Path] = set()


def prepare_jax(context: Context) -> None:
    """Turns on JAX's persistent compilation cache, so that no program is compiled twice on one machine.

    Where its folder cannot be written there is none, and the context is told so, once.
    """
    folder = context.environ.get("MU2NET_CACHE_DIR")
    if folder is None:
        from platformdirs import user_cache_path

        folder = str(user_cache_path("mu2net", appauthor=False))
    cache = Path(folder) / "xla"
    problem = _why_not_writable(cache)
    if problem is not None and cache not in _TOLD:
        _TOLD.add(cache)
        context.warn(f"programs are compiled anew each time: {problem} (MU2NET_CACHE_DIR says where they are kept)")
    jax.config.update("jax_compilation_cache_dir", None if problem else str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _why_not_writable(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return None
    except OSError as exc:
        return f"cannot write to {folder}: {exc.strerror}"


def provenance() -> dict[str, str]:
    """Returns the device kind (``device``) and the versions of the libraries that compute."""
    versions = {name: version(name) for name in _RECORDED}
    return {"device": jax.devices()[0].device_kind, "mu2net": __version__, **versions}


def host_split(
    repo: Repository, context: Context, task: Task, split: str, architecture: Architecture
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a task's images uint8 [N, H, W, 3] at the architecture's size, and labels int32 [N]; verified."""
    side = int(architecture.config["image"])
    examples = load_split(
        task,
        split,
        size=(side, side),
        data_dir=data_folder(None, context.environ),
        uri=_here(repo, task),
    )
    return examples.images, examples.labels


def device_split(
    repo: Repository, context: Context, task: Task, split: str, architecture: Architecture, *, cap: int | None = None
) -> Split:
    """Returns the first ``cap`` examples of a split as device arrays."""
    images, labels = host_split(repo, context, task, split, architecture)
    return jnp.asarray(images[:cap]), jnp.asarray(labels[:cap])


def _here(repo: Repository, task: Task) -> str | None:
    uri = repo.config.settings.get(f"{DATA}{task.name}")
    return absolute_uri(uri, repo.worktree) if isinstance(uri, str) else None
