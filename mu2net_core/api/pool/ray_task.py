"""The task that Ray runs on a node for each order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

from mu2net_core.api.context import Context
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.ray_package import load_ray
from mu2net_core.api.pool.sink import Wish
from mu2net_core.api.pool.supervisor import Order, supervise
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import decode
from mu2net_core.version import __version__

__all__ = ["carry_out"]


def carry_out(version: str, order: bytes, run: int, sink: Any) -> int:
    """Runs the agent of an order on this node; returns its exit code.

    Args:
        version: of mu2net where the pool is; of another one this node might not even understand the order.
        order: in bytes.
        run: its number.
        sink: the actor that is told all.
    """
    context = Context.default()
    if version != __version__:
        raise InvalidInputError(f"{context.host} has mu2net {__version__}; expected {version}, as the pool has.")
    read = decode(order, Order, what="an order")
    return _beside(lambda: supervise(_now(read, run, sink), _telling(run, sink), context))


def _beside(do: Callable[[], int]) -> int:
    """Returns what ``do`` returns in a thread of its own.

    A task that waits for something of Ray's in its main thread gives its cores back meanwhile, and others get them.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(do).result()


def _now(order: Order, run: int, sink: Any) -> Order:
    """Returns the order with what is left of the time, which is less after a loss."""
    left_s = load_ray().get(sink.left_s.remote(run))
    return replace(order, job=replace(order.job, options=replace(order.job.options, budget_s=left_s)))


def _telling(run: int, sink: Any) -> Callable[[Sequence[Said]], Wish]:
    """Returns what tells the sink in the name of this attempt."""
    ray, attempt = load_ray(), uuid4().hex

    def tell(said: Sequence[Said]) -> Wish:
        wish: Wish = ray.get(sink.tell.remote(run, attempt, list(said)))
        return wish

    return tell
