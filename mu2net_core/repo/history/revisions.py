"""What a user means by a name: a task, a place in its history, a tag or an id."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from dataclasses import dataclass

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Kind, check_name
from mu2net_core.repo.core import Repository

__all__ = ["Resolved", "check_new_name", "near", "resolve"]

_BACK = re.compile(r"(?P<task>.+)@\{(?P<n>\d{1,8})\}")
_PARENT = re.compile(r"(?P<base>.+)~(?P<n>\d{0,8})")
_HEX = re.compile(r"[0-9a-f]{4,64}")
_LIKE_AN_ID = re.compile(r"[0-9a-f]{8,64}")
_WHOLE = 64


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
    (``X~`` is ``X~1``). A root is its model, a tag its snapshot. A whole id means the object. Anything else that means
    several things is refused, since others may choose names: ``task:T``, ``tag:T`` and ``root:T`` say which is meant.

    Raises:
        NotFoundError: nothing is called so; near names are in the hint.
        InvalidInputError: an id's beginning that several objects share, or a name that means something else, too.
    """
    if match := _BACK.fullmatch(text):
        return _moves_ago(repo, match["task"].removeprefix("task:"), int(match["n"]))
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


def check_new_name(repo: Repository, name: str, what: str) -> str:
    """Returns ``name``, which shall become that of a task, tag or root, unless it would mean something else, too.

    Raises:
        InvalidInputError: it cannot be a name, is one of another kind of thing, or looks like an id.
    """
    check_name(name, f"{what} name")
    if _LIKE_AN_ID.fullmatch(name):
        raise InvalidInputError(
            f"Not a {what} name: {name!r}. It looks like the beginning of an id, and would mean both."
        )
    others = [kind for kind in _kinds_of(repo, name) if kind != what]
    if others:
        raise InvalidInputError(f"Cannot call a {what} {name}: a {others[0]} has that name, and it would mean both.")
    return name


def _named(repo: Repository, text: str) -> Resolved | None:
    """Returns the task, tag or root of a name; a name that means something else, too, is not guessed at."""
    kind, colon, name = text.partition(":")
    found = _kinds_of(repo, name if colon else text)
    if colon:
        return found.get(kind)
    if not found:
        return None
    (first, one), *others = found.items()
    if others:
        said = " or ".join(f"{kind}:{text}" for kind in found)
        raise InvalidInputError(f"{text!r} is a {' and a '.join(found)}.", hint=f"Say which: {said}")
    ids = _ids(repo, text)
    if ids and len(text) == _WHOLE:
        return None
    if ids:
        raise InvalidInputError(
            f"{text!r} is a {first}, and the beginning of the id of {ids}.",
            hint=f"Say which: {first}:{text}, or the id with all its digits",
        )
    return one


def _kinds_of(repo: Repository, name: str) -> dict[str, Resolved]:
    """Returns what has a name, by what it is."""
    found: dict[str, Resolved] = {}
    try:
        check_name(name)
    except InvalidInputError:
        return found
    head = repo.refs.head(name)
    if head is not None:
        found["task"] = Resolved(kind="commit", id=head.commit, task=name)
    roots = repo.refs.roots()
    if name in roots:
        found["root"] = Resolved(kind="model", id=roots[name])
    with suppress(NotFoundError):
        found["tag"] = Resolved(kind="snapshot", id=repo.refs.tag(name))
    return found


def _ids(repo: Repository, beginning: str) -> str:
    """Returns which objects here have ids that begin so, in words; nothing where there are none."""
    if not _HEX.fullmatch(beginning):
        return ""
    try:
        kind, oid = repo.objects.resolve_prefix(None, beginning)
    except NotFoundError:
        return ""
    except InvalidInputError:
        return "several objects"
    return f"the {kind} {oid}"


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
