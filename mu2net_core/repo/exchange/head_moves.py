"""Moving a remote's heads, once all that they need is there; and whether what they follow still is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from mu2net_core.errors import ConflictError
from mu2net_core.objects import Commit, Model, object_key
from mu2net_core.repo.core import HeadState, Workers, entry_key
from mu2net_core.repo.exchange.push_plan import Plan
from mu2net_core.repo.remotes import Node, RemoteRepository

__all__ = ["absent", "gapped", "move_heads", "relied_on", "strayed"]


def move_heads(remote: RemoteRepository, plans: Sequence[Plan]) -> dict[str, HeadState]:
    """Moves heads, several at a time; one that is new there comes before those that learned from it.

    Returns:
        where they are now; a head that somebody else moved first is left out.
    """
    new = {plan.task for plan in plans if plan.after is None}
    waits = {plan.task: (plan.closure.tasks & new) - {plan.task} for plan in plans}
    pending, done, states = list(plans), set[str](), dict[str, HeadState]()
    with Workers[tuple[str, HeadState | None]]() as workers:
        while pending:
            ready = [plan for plan in pending if not waits[plan.task] - done] or pending[:1]
            pending = [plan for plan in pending if plan not in ready]
            for plan in ready:
                workers.submit(partial(_move, remote, plan))
            for task, state in workers.results():
                done.add(task)
                states |= {} if state is None else {task: state}
    return states


def strayed(remote: RemoteRepository, plans: Iterable[Plan]) -> frozenset[str]:
    """Returns the tasks whose heads are not where they were seen: what follows there would follow nothing."""
    with Workers[tuple[str, bool]]() as workers:
        for plan in plans:
            if plan.after is not None:
                workers.submit(partial(_is_there, remote, plan.after))
        return frozenset(task for task, is_there in workers.results() if not is_there)


def gapped(remote: RemoteRepository, plans: Iterable[Plan]) -> dict[str, int]:
    """Returns the numbers of the entries about to be made, by task, where a later one is there already: it was lost.

    Somebody else may also be moving the head just now. One request each.
    """
    with Workers[tuple[str, int, bool]]() as workers:
        for plan in plans:
            workers.submit(partial(_is_beyond, remote, plan.task, plan.after.number + 1 if plan.after else 1))
        return {task: number for task, number, is_there in workers.results() if is_there}


def relied_on(plans: Sequence[Plan]) -> frozenset[Node]:
    """Returns the commits and models that what is sent names as its parents, and that are not sent with it."""
    manifests = dict(pair for plan in plans for pair in plan.closure.manifests)
    nodes: set[Node] = set()
    for value in manifests.values():
        if isinstance(value, Commit):
            nodes.update(("commit", parent) for parent in value.parents)
        elif isinstance(value, Model):
            nodes.update(("model", source) for source in value.sources)
    return frozenset(nodes - manifests.keys())


def absent(remote: RemoteRepository, nodes: Iterable[Node]) -> frozenset[Node]:
    """Returns those of ``nodes`` that are not there; one request each."""
    with Workers[tuple[Node, bool]]() as workers:
        for node in nodes:
            workers.submit(partial(_has, remote, node))
        return frozenset(node for node, is_there in workers.results() if not is_there)


def _has(remote: RemoteRepository, node: Node) -> tuple[Node, bool]:
    return node, remote.store.exists(object_key(*node))


def _is_there(remote: RemoteRepository, state: HeadState) -> tuple[str, bool]:
    return state.task, remote.refs.holds(state)


def _is_beyond(remote: RemoteRepository, task: str, number: int) -> tuple[str, int, bool]:
    return task, number, remote.store.exists(entry_key(task, number + 1))


def _move(remote: RemoteRepository, plan: Plan) -> tuple[str, HeadState | None]:
    """Creates the next entry of a head; no state if somebody else did first."""
    try:
        return plan.task, remote.refs.append(plan.task, plan.commit, after=plan.after)
    except ConflictError:
        return plan.task, None
