"""Names that are taken: what arrives never takes the place of something else that is called so here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from mu2net_core.errors import ConflictError
from mu2net_core.repo.core import ObjectDatabase, Repository
from mu2net_core.repo.history import ISOLATED, ancestry, load_rules

__all__ = ["find_clashes", "is_group", "root_conflict"]


def find_clashes(
    repo: Repository, theirs: Mapping[str, str], new: Collection[str], *, named: Collection[str], remote: str
) -> dict[str, str]:
    """Returns why tasks that arrive cannot have their names here, by task.

    A task that is unknown here must not be called as a tag or root is. A task that becomes private must not be called
    as a group: whoever belongs to a group by that name would not, any more.

    Args:
        repo: where to.
        theirs: the commits of the heads that arrive, by task.
        new: those of them that are unknown here.
        named: those that the user asked for by name: they are meant to be whom other tasks name as a reader.
        remote: the name of the remote, for commands.
    """
    clashes = _other_kinds(repo, new) if new else {}
    private = [
        task
        for task in theirs
        if task not in clashes and task not in named and _turns_private(repo, task, theirs[task])
    ]
    if not private:
        return clashes
    groups = _groups(repo, theirs)
    for task in private:
        users = groups.get(task, set()) - {task}
        if users:
            pull = f"mu2net pull {remote} {task}" if remote else f"mu2net merge {task}"
            clashes[task] = (
                f"It is private, and {min(users)} names a group that is called so as a reader. If that is no group, "
                f"but this task: {pull}"
            )
    return clashes


def is_group(repo: Repository, name: str) -> str | None:
    """Returns a task here that names ``name`` as a reader of what it taught; None if there is none."""
    return min(_groups(repo, {}).get(name, set()) - {name}, default=None)


def _other_kinds(repo: Repository, new: Collection[str]) -> dict[str, str]:
    kinds = {"tag": repo.refs.listed("tags"), "root": repo.refs.listed("roots")}
    reasons = dict[str, str]()
    for kind, names in kinds.items():
        way_out = " To let the task in: mu2net tag --delete {task}" if kind == "tag" else ""
        for task in set(new).intersection(names):
            reasons[task] = f"A {kind} here is called {task}, too, and the name would mean both." + way_out.format(
                task=task
            )
    return reasons


def _turns_private(repo: Repository, task: str, tip: str) -> bool:
    """Returns whether a task names itself as its reader in a history that arrives, and did not here before."""
    objects, head = repo.objects, repo.refs.head(task)
    ours = None if head is None else head.commit
    try:
        return _names_itself(objects, task, tip, ours) and not (ours and _names_itself(objects, task, ours, None))
    except ISOLATED:
        return False  # then it does not arrive


def _names_itself(objects: ObjectDatabase, task: str, tip: str, known: str | None) -> bool:
    task_ids = {objects.commit(oid).task_id for oid in ancestry(objects, [tip], without=known)}
    return any(task in (objects.task(oid).access.readers or ()) for oid in task_ids)


def _groups(repo: Repository, theirs: Mapping[str, str]) -> dict[str, set[str]]:
    """Returns by reader the tasks that name it as theirs: by all rules here, and by those of heads that arrive."""
    found: dict[str, set[str]] = {}
    rules = [*load_rules(repo).items()]
    for task, oid in theirs.items():
        with suppress(*ISOLATED):
            rules.append((task, repo.objects.task(repo.objects.commit(oid).task_id).access))
    for task, rule in rules:
        for reader in rule.readers or ():
            found.setdefault(reader, set()).add(task)
    return found


def root_conflict(name: str, ours: str, theirs: str | None, remote: str) -> ConflictError:
    """Returns the error for a root that is one model here and another on a remote."""
    there = "another model" if theirs is None else theirs[:10]
    return ConflictError(
        f"The root {name} is the model {ours[:10]} here and {there} on the remote {remote}: these are two systems "
        "that grew from different roots.",
        hint="Clone the remote into another folder and evolve there, or make a new remote for this one.",
    )
