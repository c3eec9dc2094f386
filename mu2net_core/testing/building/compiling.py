"""How programs are compiled in tests that only look whether all is done, not how well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quick_compiler"]


@contextmanager
def quick_compiler() -> Iterator[None]:
    """Compiles twice as fast, to slower programs whose last bits are others: what is repeated must be within it."""
    import jax

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
