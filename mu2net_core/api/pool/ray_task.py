"""The task that Ray runs on a node for each order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mu2net_core.version import __version__

if TYPE_CHECKING:
    from mu2net_core.api.pool.process import Said
    from mu2net_core.api.pool.sink import Wish

__all__ = ["carry_out"]


def carry_out(version: str, order: bytes, run: int, sink: Any) -> int:
    """Runs the agent of an order on this node; returns its exit code.

    Args:
        version: of mu2net where the pool is; of another one this node might not even understand the order.
        order: in bytes.
        run: its number.
        sink: the actor that is told all.
    """
    from mu2net_core.api.context import Context
    from mu2net_core.api.pool.ray_package import load_ray
    from mu2net_core.api.pool.supervisor import Order, supervise
    from mu2net_core.errors import InvalidInputError
    from mu2net_core.objects import decode

    ray, context = load_ray(), Context.default()
    if version != __version__:
        raise InvalidInputError(f"{context.host} has mu2net {__version__}; expected {version}, as the pool has.")
    read = decode(order, Order, what="an order")
    options = replace(read.job.options, budget_s=ray.get(sink.left_s.remote(run)))  # less than at first, after a loss
    attempt = uuid4().hex

    def tell(said: Sequence[Said]) -> Wish:
        wish: Wish = ray.get(sink.tell.remote(run, attempt, list(said)))
        return wish

    return supervise(replace(read, job=replace(read.job, options=options)), tell, context)
