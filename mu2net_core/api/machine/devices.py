"""The devices that JAX computes on, and why it may find none, or must not use them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mu2net_core.errors import DeviceError, InvalidInputError

if TYPE_CHECKING:
    import jax

__all__ = ["check_not_forked", "devices_of", "find_devices"]

_CUDA = " For a GPU of NVIDIA, JAX needs its driver and its plugin: pip install 'jax[cuda12]'"
_PLUGINS = {
    "cuda": _CUDA,
    "gpu": _CUDA,
    "rocm": " For a GPU of AMD, JAX needs ROCm and its plugin, as AMD describes it.",
    "tpu": " For a TPU, JAX needs to run on its machine, and its plugin: pip install 'jax[tpu]'",
}
_USED_BY: list[int] = []
"""The process that JAX computes in, once it does."""


def find_devices() -> Sequence[jax.Device]:
    """Returns the devices of this machine; the first call in a process starts JAX's backend.

    Raises:
        DeviceError: JAX cannot be imported, or its backend cannot start here; or this process is a fork of one that
            computed.
    """
    check_not_forked()
    platforms = ""
    try:
        import jax

        platforms = getattr(jax.config, "jax_platforms", None) or ""
        devices = jax.devices()
    except Exception as exc:  # AssertionError, RuntimeError, OSError: whatever a plugin raises
        raise _not_started(platforms, exc) from exc
    _USED_BY[:] = [os.getpid()]
    return devices


def check_not_forked() -> None:
    """Raises DeviceError in a fork of a process that computed: the threads of its backend are not in the fork."""
    if _USED_BY and _USED_BY[0] != os.getpid():
        raise DeviceError(
            "This process was forked from one that had computed before. JAX's threads are not in it, so that it would "
            "wait for ever.",
            hint="Start workers with multiprocessing.get_context('spawn') and open the model in each of them, or fork "
            "before the first model is used.",
        )


def _not_started(platforms: str, exc: Exception) -> DeviceError:
    said = next(iter(str(exc).strip().splitlines()), "").rstrip(".") or f"{type(exc).__name__}, and no word why"
    if not platforms:
        return DeviceError(
            f"JAX finds no device to compute on here. It says: {said}.", hint="To compute on the CPU: JAX_PLATFORMS=cpu"
        )
    return DeviceError(
        f"JAX_PLATFORMS={platforms} asks for a device that JAX cannot start here. It says: {said}.",
        hint="Unset JAX_PLATFORMS, so that JAX takes the best device it finds, or set JAX_PLATFORMS=cpu."
        + _PLUGINS.get(platforms.split(",", maxsplit=1)[0].strip().lower(), ""),
    )


def devices_of(numbers: Sequence[int] | None) -> tuple[jax.Device, ...]:
    """Returns the devices of this process by JAX's numbers, all of them for None; InvalidInputError if one is not."""
    import jax

    there = {device.id: device for device in jax.local_devices()}
    missing = [number for number in numbers or () if number not in there]
    if missing or numbers == ():
        raise InvalidInputError(
            f"There is no device {missing[0]} here." if missing else "An agent needs a device.",
            hint=f"Those of this machine: {', '.join(map(str, there))}",
        )
    return tuple(there.values() if numbers is None else (there[number] for number in numbers))
