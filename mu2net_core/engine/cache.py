"""Compiled programs, kept by everything that decides their code."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import jax

from mu2net_core.engine.layout import Layout
from mu2net_core.engine.placement import give_back_freed

__all__ = ["Lowered", "Program", "ProgramCache"]

MOST_KEPT = 32
"""Programs in memory, each some 40 MB; those that were not used for longest are let go, and found on the disk again."""

GPU_OPTIONS: dict[str, bool | str] = {"xla_gpu_deterministic_ops": True}
"""A GPU may add in any order, and choose algorithms by timing them: the same seed would not give the same models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A pure function of arrays, to be compiled.

    Attributes:
        function: of arrays, and of ``static`` by name.
        static: what is compiled in; hashable.
        what: it is called when somebody is told of it.
        donate: the arguments it consumes.
    """

    function: Callable[..., Any]
    static: Mapping[str, Any] = field(default_factory=dict)
    what: str
    donate: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A program as a compiler takes it.

    Attributes:
        stage: of JAX.
        wall_s: that it took to make.
    """

    stage: jax.stages.Lowered
    wall_s: float


@dataclass(slots=True)
class ProgramCache:
    """Compiles each program once per distinct shape of its arguments, and keeps it while it is used.

    Attributes:
        layout: of the devices that programs run on.
        on_compile: told what was compiled and the seconds it took.
    """

    layout: Layout
    on_compile: Callable[[str, float], None]
    _compiled: dict[Any, Future[Any]] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    def lowered(self, program: Program, args: Any) -> Lowered | None:
        """Returns a program as a compiler takes it, made in Python; None if it is compiled, or about to be."""
        with self._lock:
            if self._key(program, args) in self._compiled:
                return None
        return _lower(program, args)

    def compiled(
        self, program: Program, args: Any, *, on_wait: Callable[[str], None], lowered: Lowered | None = None
    ) -> Callable[..., Any]:
        """Returns a program compiled for ``args``; who asks for one that another thread compiles waits for it.

        Args:
            program: to compile.
            args: arrays, or what stands for them.
            on_wait: told what is waited for, if it is not there yet.
            lowered: the same program, if it was lowered already.
        """
        key = self._key(program, args)
        with self._lock:
            found, future = self._compiled.pop(key, None), Future[Any]()
            self._compiled[key] = found or future
            while len(self._compiled) > MOST_KEPT:
                del self._compiled[next(iter(self._compiled))]
        if found is None or not found.done():
            on_wait(program.what)
        if found is not None:
            return found.result()  # type: ignore[no-any-return]
        try:
            future.set_result(self._compile(lowered or _lower(program, args), program.what))
        except BaseException as exc:
            future.set_exception(exc)
            self._compiled.pop(key, None)
            raise
        return future.result()  # type: ignore[no-any-return]

    def _key(self, program: Program, args: Any) -> tuple[Any, ...]:
        leaves, tree = jax.tree.flatten(args)
        return (program.what, *program.static.values(), tree, *(self._kind(leaf) for leaf in leaves))

    def _kind(self, leaf: Any) -> tuple[Any, ...]:
        """Returns all of an argument that a program depends on: with several devices also where it lies."""
        where = None if self.layout.num_devices == 1 else getattr(leaf, "sharding", None)
        return (leaf.shape, leaf.dtype, where)

    def _compile(self, lowered: Lowered, what: str) -> Any:
        began = time.perf_counter()
        options = GPU_OPTIONS if self.layout.devices[0][0].platform == "gpu" else None
        made = lowered.stage.compile(compiler_options=options)
        give_back_freed()  # a compiler takes hundreds of megabytes
        self.on_compile(what, lowered.wall_s + time.perf_counter() - began)
        return made


def _lower(program: Program, args: Any) -> Lowered:
    began = time.perf_counter()

    def run(*args: Any) -> Any:
        return program.function(*args, **program.static)

    with _uncollected():
        stage = jax.jit(run, donate_argnums=program.donate).lower(*args)
    return Lowered(stage=stage, wall_s=time.perf_counter() - began)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leaves out the search for garbage, which takes a fifth of the time: tracing makes very many objects that stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
