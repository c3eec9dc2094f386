"""Measuring a model in a process of its own, which has no device but the CPU.

So whoever exchanges work starts no JAX, and holds no device that an agent computes on; a measurement can be given up
at any moment; and what comes out does not depend on who measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryFile

from mu2net_core.api.context import Context
from mu2net_core.errors import DeviceError, StorageError
from mu2net_core.repo import Repository

__all__ = ["measured_apart"]

_PROGRAM = ("-P", "-m", "mu2net_core.api.models.remeasure")
_LOOK_S = 0.1


def measured_apart(repo: Repository, context: Context, model_id: str, num_examples: int, most_s: float) -> float:
    """Returns a model's quality on the first so many validation examples, in float32 on the CPU.

    Args:
        repo: that has the model.
        context: of this process; once it is to end, nothing more is measured.
        model_id: of the model.
        num_examples: of the validation split, from its first on.
        most_s: seconds that this may take.

    Raises:
        DeviceError: it takes too long, this process is to end, or the one that measures died.
        StorageError: no process can be started.
        Mu2netError: the data or the components are not to be had here.
    """
    command = [sys.executable, *_PROGRAM, str(repo.worktree), model_id, str(num_examples)]
    environ = {**context.environ, "JAX_PLATFORMS": "cpu"}
    with TemporaryFile() as out, TemporaryFile() as err:
        try:
            process = subprocess.Popen(  # noqa: S603  ours
                command, stdin=subprocess.PIPE, stdout=out, stderr=err, env=environ, cwd=context.cwd
            )
        except OSError as exc:
            raise StorageError(f"No process can be started to measure it: {exc.strerror}.") from exc
        try:
            code = _wait(process, time.monotonic() + most_s, context.is_stopping)
        finally:
            process.kill()
            process.communicate()
        out.seek(0)
        err.seek(0)
        return _quality(code, out.read(), err.read().decode(errors="replace"))


def _wait(process: subprocess.Popen[bytes], deadline: float, is_stopping: Callable[[], bool]) -> int:
    while True:
        try:
            return process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            if is_stopping():
                raise DeviceError("This process is to end.") from None
            if time.monotonic() >= deadline:
                raise DeviceError("That takes longer than it may.") from None


def _quality(code: int, said: bytes, complained: str) -> float:
    try:
        found = json.loads(said)
    except ValueError:
        why = (complained.strip().splitlines() or ["no word why"])[-1]
        raise DeviceError(f"The process that measured it ended with {code}: {why}.") from None
    if "error" in found:
        raise DeviceError(found["error"])
    return float(found["quality"])
