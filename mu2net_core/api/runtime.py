"""What every verb that computes shares: the compilation cache, the device, the task's examples on it."""

from __future__ import annotations

import shlex
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.api.checkpoints import cache_folder
from mu2net_core.api.context import Context
from mu2net_core.data import absolute_uri, data_folder, is_catalogue, load_split
from mu2net_core.engine.child import Split
from mu2net_core.errors import DataError
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
    cache = cache_folder(context) / "xla"
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
    size_bytes = 3 * side * side * task.splits[split].num_examples
    if size_bytes > repo.limits.examples_bytes:
        raise DataError(
            f"The split {split} of {task.name} would take {size_bytes} bytes as images of {side} x {side} pixels, over "
            f"the limit of {repo.limits.examples_bytes}.",
            hint="If that is meant: mu2net config set limits.examples_bytes NUMBER",
        )
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
    """Returns where the task's data lies on this machine; None where the task says.

    A catalogue means the same everywhere. A path means what somebody on this machine chose: one that came along from
    another machine is not read before somebody here says so.

    Raises:
        DataError: the task names a place on another machine, and nobody said where that is here.
    """
    uri = repo.config.settings.get(f"{DATA}{task.name}")
    if isinstance(uri, str):
        return absolute_uri(uri, repo.worktree)
    if is_catalogue(task.source) or not repo.config.remotes:
        return None
    raise DataError(
        f"The data of the task {task.name} is {task.source}, as the machine that added it sees it. What lies there on "
        "this machine is not read before you say so.",
        hint=f"mu2net config set {DATA}{task.name} {shlex.quote(task.source)} (or where it lies here)",
    )
