"""``reset``: the head of a task goes back to an earlier state; nothing is deleted."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.looking.names import task_head
from mu2net_core.api.signing.signing import committer, put_commit
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.objects import Commit
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.core import Purged
from mu2net_core.repo.history import Resolved, ancestry, contains, resolve
from mu2net_core.repo.upkeep import in_effect

__all__ = ["ResetResult", "reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetResult:
    """What a reset did, or would do.

    Attributes:
        task: whose head.
        before: the commit it stood at.
        target: the commit it goes back to.
        changed: whether there was, or would be, anything to do; not if the head is there already.
        commit: the new commit; None if nothing was done.
        model: the retained model's id then; None if the task has none there.
        removed: whether the task is a removed one then.
        left_behind: commits whose work is in the history but not in the new state, newest first.
    """

    task: str
    before: str
    target: str
    changed: bool
    commit: str | None
    model: str | None
    removed: bool
    left_behind: tuple[str, ...]


def reset(repo: Repository, context: Context, task: str, revision: str, *, dry_run: bool = False) -> ResetResult:
    """Moves the head of ``task`` on to a new commit with the model and definition of an earlier one.

    So it is pushed and pulled like other work, pulling does not undo it, and it can itself be reset. It brings a
    removed task back. How often models were selected and the number of iterations go on counting.

    Args:
        repo: where.
        context: of the call.
        task: whose head.
        revision: a commit of its history, a model one retained, a tag, or ``@{n}`` and ``~n`` without the task's name.
        dry_run: change nothing.

    Raises:
        NotFoundError: there is no such task or revision; it was purged; or its components are nowhere to be had.
        InvalidInputError: it is of another task, or not in the history of this one.
        ConflictError: another process moved the head meanwhile.
    """
    state = task_head(repo, task)
    head = repo.objects.commit(state.commit)
    target = _target(repo, state, revision)
    _check_not_aside(repo, task, target)
    history = list(ancestry(repo.objects, [state.commit]))
    if target not in history:
        raise InvalidInputError(
            f"Cannot reset {task} to {target[:10]}: that commit is not in the history of its head.",
            hint=f"Its history: mu2net log {task}. What was only fetched is joined by: mu2net merge",
        )
    kept = set(ancestry(repo.objects, [target]))
    to = repo.objects.commit(target)
    changed, commit_id = target not in {state.commit, head.reset_to}, None
    if changed and not dry_run:
        _bring_components(repo, task, to)
        commit_id = put_commit(repo, context, _commit(repo, context, state, target))
        repo.refs.append(task, commit_id, after=state)
    return ResetResult(
        task=task,
        before=state.commit,
        target=target,
        changed=changed,
        commit=commit_id,
        model=to.model,
        removed=to.removed,
        left_behind=tuple(oid for oid in history if oid not in kept),
    )


def _commit(repo: Repository, context: Context, state: HeadState, target: str) -> Commit:
    head, to, now = repo.objects.commit(state.commit), repo.objects.commit(target), context.timestamp()
    return Commit(
        task=state.task,
        task_id=to.task_id,
        model=to.model,
        parents=(state.commit,),
        iteration=head.iteration,
        selections=head.selections,
        agent=committer(repo, context),
        started_at=now,
        finished_at=now,
        message=f"reset to {target[:10]}" + (f" ({to.message})" if to.reset_to is None else ""),
        removed=to.removed,
        reset_to=target,
    )


def _target(repo: Repository, state: HeadState, revision: str) -> str:
    """Returns the commit that ``revision`` means for this task."""
    found = resolve(repo, f"{state.task}{revision}" if revision.startswith(("@{", "~")) else revision)
    oid = _commit_of(repo, state, found)
    if oid is None:
        what = f"a {found.kind}" if found.task is None else f"a {found.kind} of {found.task}"
        raise InvalidInputError(
            f"Cannot reset {state.task} to {revision}: that is {what}, not a state of {state.task}.",
            hint=f"The states there were: mu2net reflog {state.task}",
        )
    task = _purged_task(repo, state, oid)
    if task is not None:
        raise NotFoundError(f"Cannot reset {state.task} to {revision}: {oid[:10]} was purged, for good.")
    if repo.objects.commit(oid).task != state.task:
        raise InvalidInputError(
            f"Cannot reset {state.task} to {revision}: that is a commit of {repo.objects.commit(oid).task}.",
            hint=f"The states there were: mu2net reflog {state.task}",
        )
    return oid


def _check_not_aside(repo: Repository, task: str, target: str) -> None:
    """Says how to get back what was set aside: as long as it is, it is not in the history of the head."""
    aside = in_effect(repo, task)
    if aside is not None and contains(repo.objects, aside.tip, target):
        raise InvalidInputError(
            f"Cannot reset {task} to {target[:10]}: it was purged by others, and is set aside here.",
            hint=f"To bring it back: mu2net rm-task {task} --undo",
        )


def _commit_of(repo: Repository, state: HeadState, found: Resolved) -> str | None:
    """Returns the commit that an object stands for: itself, the newest that retained a model, a tag's head."""
    if found.kind == "commit":
        return found.id
    if found.kind == "snapshot":
        return repo.objects.snapshot(found.id).heads.get(state.task)
    if found.kind == "model":
        commits = ancestry(repo.objects, [state.commit])
        return next((oid for oid in commits if repo.objects.commit(oid).model == found.id), None)
    return None


def _purged_task(repo: Repository, state: HeadState, oid: str) -> str | None:
    """Returns the task whose purge took the commit; None if it is here, or was never purged."""
    if repo.objects.has("commit", oid):
        return None
    purged = Purged.read(repo.refs)
    return purged.lists(("commit", oid)) or (state.task if state.task in purged.tasks else None)


def _bring_components(repo: Repository, task: str, to: Commit) -> None:
    """Makes sure that the model of ``to`` can be used: its components are here, or fetched now."""
    refs = () if to.model is None or to.removed else repo.objects.model(to.model).components
    for ref in refs:
        if not repo.objects.has("component", ref.id):
            try:
                repo.objects.read("component", ref.id)
            except Mu2netError as exc:
                raise NotFoundError(
                    f"Cannot reset {task}: the component {ref.id[:10]} ({ref.name}) of its model then is not here and "
                    f"cannot be fetched. {exc.message}",
                    hint=exc.hint or "Add or reach a remote that has it: mu2net remote list",
                ) from exc
