"""``--executor``, ``--ray-address`` and ``--agent-resources``: where the agents of a pool run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mu2net_core.errors import InvalidInputError

if TYPE_CHECKING:
    from mu2net_core.api.pool.cluster import Cluster

__all__ = ["parse_cluster"]


def parse_cluster(
    executor: str | None, address: str | None, resources: str | None, *, agents: int | None
) -> Cluster | None:
    """Returns the cluster that the agents of a pool run on; None for this machine."""
    if executor not in {None, "local", "ray"}:
        raise InvalidInputError(f"Expected local or ray as --executor, got {executor!r}.")
    given = {"--ray-address": address, "--agent-resources": resources}
    if executor != "ray":
        if lone := next((name for name, value in given.items() if value is not None), None):
            raise InvalidInputError(f"{lone} is of a cluster: expected --executor ray with it.")
        return None
    if agents is None:
        raise InvalidInputError("Expected --agents N with --executor ray: how many agents run on the cluster.")
    if address is None:
        raise InvalidInputError(
            "Expected --ray-address HOST:PORT with --executor ray.",
            hint="ray start --head says it; inside a job of Ray it is $RAY_ADDRESS.",
        )
    from mu2net_core.api.pool.cluster import Cluster
    from mu2net_core.api.pool.resources import AgentResources, parse_resources

    return Cluster(address=address, resources=AgentResources() if resources is None else parse_resources(resources))
