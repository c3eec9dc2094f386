"""Whether all that a first push needs is here and sound, before anything is created over there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from mu2net_core.objects import AccessRule
from mu2net_core.repo.audience import refusal, refused_task
from mu2net_core.repo.believed import purges_here
from mu2net_core.repo.closure import Closure, Knowledge, Node, collect
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.system import load_rules
from mu2net_core.repo.tracking import Tracking
from mu2net_core.repo.workers import Workers

__all__ = ["check_ready"]


def check_ready(repo: Repository, audience: AccessRule, tasks: Iterable[str], *, tags: bool) -> None:
    """Reads every object that a push to a remote that has nothing would send; brings what is only elsewhere.

    Args:
        repo: where from.
        audience: the remote's readers; what they may not see is not sent, so not looked at.
        tasks: the tasks to send.
        tags: whether tags are sent too.

    Raises:
        CorruptObjectError: an object is damaged.
        NotFoundError: an object is neither here nor on a remote.
    """
    objects, rules = repo.objects, load_rules(repo)
    knowledge = Knowledge(objects, Tracking(url=""))
    for tips in _parcels(repo, [task for task in tasks if refused_task(task, rules, audience) is None], tags=tags):
        closure = collect(objects, tips, knowledge)
        if refusal(closure, rules, audience) is None:
            _read_all(objects, closure)
            knowledge.sent(closure)


def _read_all(objects: ObjectDatabase, closure: Closure) -> None:
    with Workers[int]() as workers:
        for ref in closure.components:
            workers.submit(partial(_read, objects, ref.id), size_bytes=ref.size_bytes)
        for _ in workers.results():
            pass


def _read(objects: ObjectDatabase, oid: str) -> int:
    return len(objects.read("component", oid))


def _parcels(repo: Repository, tasks: Iterable[str], *, tags: bool) -> Iterable[list[Node]]:
    """Yields what is sent together: a root, the head of a task, or a tag and all it names."""
    for _, model_id in sorted(repo.refs.roots().items()):
        yield [("model", model_id)]
    for task in tasks:
        head = repo.refs.head(task)
        if head is not None:
            yield [("commit", head.commit)]
    purged = purges_here(repo)
    for _, snapshot_id in sorted(repo.refs.tags().items()) if tags else ():
        heads: list[Node] = [("commit", oid) for oid in repo.objects.snapshot(snapshot_id).heads.values()]
        if purged.missing(repo.objects, heads) is None:
            yield [*heads, ("snapshot", snapshot_id)]
