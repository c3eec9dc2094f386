"""What a user means by a name: a task, a place in its history, a tag or an id."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Kind, check_name
from mu2net_core.repo.repository import Repository

__all__ = ["Resolved", "near", "resolve"]

_BACK = re.compile(r"(?P<task>.+)@\{(?P<n>\d{1,8})\}")
_PARENT = re.compile(r"(?P<base>.+)~(?P<n>\d{0,8})")
_HEX = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An object that a revision names.

    Attributes:
        kind: of the object.
        id: of the object.
        task: the task it belongs to, if it belongs to one.
    """

    kind: Kind
    id: str
    task: str | None = None


def resolve(repo: Repository, text: str) -> Resolved:
    """Returns what ``text`` names: a task (its head's commit), ``T@{n}``, ``T~n``, a root, a tag, or an id's beginning.

    ``T@{n}`` is where the head of T stood n moves ago; ``X~n`` follows the first parent of commit X n times
    (``X~`` is ``X~1``). A root is its model, a tag its snapshot.

    Raises:
        NotFoundError: nothing is called so; near names are in the hint.
        InvalidInputError: an id's beginning that several objects share.
    """
    if match := _BACK.fullmatch(text):
        return _moves_ago(repo, match["task"], int(match["n"]))
    if match := _PARENT.fullmatch(text):
        return _ancestor(repo, resolve(repo, match["base"]), int(match["n"] or 1))
    found = _named(repo, text)
    if found is not None:
        return found
    if _HEX.fullmatch(text):
        return _by_id(repo, text)
    names = (*repo.refs.tasks(), *repo.refs.tags(), *repo.refs.roots())
    raise NotFoundError(
        f"Nothing is called {text!r}: no task, tag, root or id.", hint=near(text, names, "mu2net tasks")
    )


def near(text: str, names: tuple[str, ...], command: str) -> str:
    """Returns a hint with the names like ``text``, or with the ``command`` that lists them."""
    close = difflib.get_close_matches(text, names, n=3, cutoff=0.6)
    close += [name for name in names if text and text in name and name not in close]
    return f"Did you mean {' or '.join(close[:3])}?" if close else f"See `{command}`."


def _named(repo: Repository, text: str) -> Resolved | None:
    try:
        check_name(text)
    except InvalidInputError:
        return None
    head = repo.refs.head(text)
    if head is not None:
        return Resolved(kind="commit", id=head.commit, task=text)
    roots = repo.refs.roots()
    if text in roots:
        return Resolved(kind="model", id=roots[text])
    try:
        return Resolved(kind="snapshot", id=repo.refs.tag(text))
    except NotFoundError:
        return None


def _by_id(repo: Repository, beginning: str) -> Resolved:
    kind, oid = repo.objects.resolve_prefix(None, beginning)
    task = None
    if kind == "commit":
        task = repo.objects.commit(oid).task
    elif kind == "model":
        task = repo.objects.model(oid).task
    elif kind == "task":
        task = repo.objects.task(oid).name
    return Resolved(kind=kind, id=oid, task=task)


def _moves_ago(repo: Repository, task: str, moves: int) -> Resolved:
    head = repo.refs.head(task)
    if head is None:
        raise NotFoundError(f"There is no task {task!r}.", hint=near(task, repo.refs.tasks(), "mu2net tasks"))
    if moves >= head.number:
        raise NotFoundError(f"The head of {task} moved {head.number} times: there is no {task}@{{{moves}}}.")
    state, _ = repo.refs.entry(task, head.number - moves)
    return Resolved(kind="commit", id=state.commit, task=task)


def _ancestor(repo: Repository, base: Resolved, steps: int) -> Resolved:
    if base.kind != "commit":
        raise NotFoundError(f"A {base.kind} has no parents to count with '~': expected a task or a commit.")
    commit_id = base.id
    for step in range(steps):
        parents = repo.objects.commit(commit_id).parents
        if not parents:
            raise NotFoundError(f"The history of {base.id[:10]} ends {step} commits back: there is no ~{steps}.")
        commit_id = parents[0]
    return Resolved(kind="commit", id=commit_id, task=repo.objects.commit(commit_id).task)
