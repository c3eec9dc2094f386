"""Whether all that a first push needs is here and sound, before anything is created over there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Literal

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import AccessRule
from mu2net_core.repo.core import ObjectDatabase, Purged, Repository, Workers
from mu2net_core.repo.history import ISOLATED, load_rules
from mu2net_core.repo.remotes import Closure, Knowledge, Node, Tracking, collect, purges_here, refusal, refused_task

__all__ = ["check_ready"]


def check_ready(repo: Repository, audience: AccessRule, tasks: Iterable[str], *, tags: bool) -> None:
    """Reads every object that a push to a remote that has nothing would send; brings what is only elsewhere.

    Args:
        repo: where from.
        audience: the remote's readers; what they may not see is not sent, so not looked at.
        tasks: the tasks to send.
        tags: whether tags are sent too.

    Raises:
        CorruptObjectError: an object is damaged, and no task and no tag is whole without it.
        NotFoundError: likewise, an object is neither here nor on a remote.
    """
    objects, rules = repo.objects, load_rules(repo)
    knowledge = Knowledge(objects, Tracking(url=""))
    wrong, whole = list[Mu2netError](), 0
    tasks = [task for task in tasks if refused_task(task, rules, audience) is None]
    for name, tips in _parcels(repo, tasks, tags=tags):
        try:
            closure = collect(objects, tips(), knowledge)
            if refusal(closure, rules, audience, task_of=objects.task, label_of=objects.label) is None:
                _read_all(objects, closure)
                knowledge.sent(closure)
        except ISOLATED as exc:
            wrong.append(exc)
        else:
            whole += name != "root"
    if wrong and not whole:
        raise wrong[0]


def _read_all(objects: ObjectDatabase, closure: Closure) -> None:
    with Workers[int]() as workers:
        for ref in closure.components:
            workers.submit(partial(_read, objects, ref.id), size_bytes=ref.size_bytes)
        for _ in workers.results():
            pass


def _read(objects: ObjectDatabase, oid: str) -> int:
    return len(objects.read("component", oid))


def _parcels(
    repo: Repository, tasks: Iterable[str], *, tags: bool
) -> Iterator[tuple[Literal["root", "task", "tag"], Callable[[], list[Node]]]]:
    """Yields what is sent together, and what it is: a root, the head of a task, or a tag and all it names."""
    for model_id in sorted(repo.refs.roots().values()):
        yield "root", partial(_root, repo.objects, model_id)
    for task in tasks:
        head = repo.refs.head(task)
        if head is not None:
            yield "task", partial(list[Node], [("commit", head.commit)])
    purged = purges_here(repo)
    for _, snapshot_id in sorted(repo.refs.tags().items()) if tags else ():
        yield "tag", partial(_tag, repo.objects, snapshot_id, purged)


def _root(objects: ObjectDatabase, model_id: str) -> list[Node]:
    return [("model", model_id)] if objects.model(model_id).task is None else []


def _tag(objects: ObjectDatabase, snapshot_id: str, purged: Purged) -> list[Node]:
    heads: list[Node] = [("commit", oid) for oid in objects.snapshot(snapshot_id).heads.values()]
    return [*heads, ("snapshot", snapshot_id)] if purged.missing(objects, heads) is None else []
