"""How programs are compiled in tests that only look whether all is done, not how well.

With ``MU2NET_TEST_PROFILE=nightly`` they are compiled as anywhere else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

__all__ = ["QUICK", "quick_compiler"]

_AS_SHIPPED = os.environ.get("MU2NET_TEST_PROFILE") == "nightly"
_VARIABLES = {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "XLA_FLAGS": "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters",  # ignored where there is none
}
QUICK: Mapping[str, str] = {} if _AS_SHIPPED else _VARIABLES
"""The environment of a process that compiles so."""

_OVERRIDES = {"xla_cpu_use_fusion_emitters": False}  # what generates code for fused operations takes most of the time


@contextmanager
def quick_compiler() -> Iterator[None]:
    """Compiles four times as fast, to slower programs with other last bits: what is repeated must be within it."""
    if _AS_SHIPPED:
        yield
        return
    import jax
    from jax._src import compiler  # there is no public way to say how every program is compiled

    options: Callable[..., Any] = compiler.get_compile_options

    def quick_options(*args: Any, env_options_overrides: Mapping[str, Any] | None = None, **others: Any) -> Any:
        return options(*args, **others, env_options_overrides={**_overrides(), **(env_options_overrides or {})})

    _overrides()
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        with mock.patch.object(compiler, "get_compile_options", quick_options):
            yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


@cache
def _overrides() -> Mapping[str, bool]:
    """Returns which options of XLA's are set: none where it has them no more."""
    import jax

    try:
        jax.jit(lambda: 0, compiler_options=_OVERRIDES).lower().compile()
    except Exception:  # noqa: BLE001  which one differs from version to version
        return {}
    return _OVERRIDES
