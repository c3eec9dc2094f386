"""How programs are compiled in tests that only look whether all is done, not how well.

With ``MU2NET_TEST_PROFILE=nightly`` they are compiled as anywhere else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from threading import Lock
from typing import Any, cast
from unittest import mock

__all__ = ["QUICK", "kept_programs", "quick_compiler"]

_AS_SHIPPED = os.environ.get("MU2NET_TEST_PROFILE") == "nightly"
_VARIABLES = {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "XLA_FLAGS": "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters",  # ignored where there is none
}
QUICK: Mapping[str, str] = {} if _AS_SHIPPED else _VARIABLES
"""The environment of a process that compiles so."""

_OF_ARRAYS = ("weak_type", "sharding")
_MOST_KEPT = 128

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


@contextmanager
def kept_programs() -> Iterator[None]:
    """Makes a program once for all repositories of this process, and tells each of them that it was compiled.

    What a program is says its function with all that is compiled in, its arguments' shapes, how JAX is set, and which
    compiler makes it: so it is the one that would be made again.
    """
    if _AS_SHIPPED:
        yield
        return
    import jax
    from jax._src.config import trace_context  # there is no public way to ask for all that a program depends on

    from mu2net_core.engine import cache as programs

    lower, kept, lock = programs._lower, dict[Any, programs.Lowered](), Lock()

    def lowered(program: programs.Program, args: Any) -> programs.Lowered:
        leaves, tree = jax.tree.flatten(args)
        function = [getattr(program.function, name, program.function) for name in ("__func__", "__self__")]
        shapes = [(leaf.shape, leaf.dtype, *(getattr(leaf, name, None) for name in _OF_ARRAYS)) for leaf in leaves]
        key = (*function, *program.static.items(), program.donate, tree, *shapes, trace_context())
        with lock:
            found = kept.get(key)
        made = found or lower(program, args)
        with lock:
            kept.pop(key, None)
            kept[key] = found or replace(made, stage=cast("Any", _Once(made.stage)))
            while len(kept) > _MOST_KEPT:
                del kept[next(iter(kept))]  # what was not asked for for longest
            return kept[key]

    small = mock.patch.object(programs, "give_back_freed", return_value=None)  # of so little, looking takes longer
    with mock.patch.object(programs, "_lower", lowered), small:
        yield


class _Once:
    """A lowered program that is compiled once by each compiler, for each folder in which compiled ones are kept."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage
        self._made: dict[Any, Any] = {}

    def compile(self, compiler_options: Mapping[str, Any] | None = None) -> Any:
        """Returns what the stage of JAX would."""
        import jax

        is_quick = jax.config.read("jax_disable_most_optimizations")
        folder = getattr(jax.config, "jax_compilation_cache_dir")  # noqa: B009  no type checker knows of it
        by = (str(compiler_options), is_quick, folder)
        if by not in self._made:
            self._made[by] = self._stage.compile(compiler_options=compiler_options)
        return self._made[by]


@cache
def _overrides() -> Mapping[str, bool]:
    """Returns which options of XLA's are set: none where it has them no more."""
    import jax

    try:
        jax.jit(lambda: 0, compiler_options=_OVERRIDES).lower().compile()
    except Exception:  # noqa: BLE001  which one differs from version to version
        return {}
    return _OVERRIDES
