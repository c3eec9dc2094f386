"""``rm-task --purge``: a task's history is deleted, and what only it reached, here or on a remote."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.running import running, running_tips
from mu2net_core.api.looking.names import task_head
from mu2net_core.api.sharing.exchanges import requiring
from mu2net_core.api.signing.signing import commit_signer, committer, put_commit, tombstone_signer
from mu2net_core.api.signing.trust import trust_of
from mu2net_core.errors import ConflictError, Mu2netError, NotFoundError
from mu2net_core.objects import Head
from mu2net_core.repo import Config, Repository
from mu2net_core.repo.core import DATA, begins_anew, is_purge, redacted_task
from mu2net_core.repo.exchange import Policy, fetch, incoming_of
from mu2net_core.repo.history import choose, head_with, is_at_purge, near
from mu2net_core.repo.remotes import check_own, connect, find_remote, read_tracking
from mu2net_core.repo.upkeep import (
    SETTLE_S,
    Aside,
    Place,
    PurgeReport,
    Survey,
    Tips,
    aside_tips,
    bring_back,
    bury,
    forget_asides,
    here,
    state_tips,
    store_purge_commit,
    survey,
    there,
)
from mu2net_core.storage import translated

__all__ = ["SETTLE_S", "PurgeReport", "is_kept", "kept_here", "known_on", "purge", "undo"]


def purge(
    repo: Repository,
    context: Context,
    task: str,
    *,
    remote: str | None = None,
    dry_run: bool = False,
    settle: Callable[[], None] | None = None,
) -> PurgeReport:
    """Deletes a task's history and what only it reached, and returns what that took away; again goes on.

    What others learned from it stays, with the manifests that it descends from. What was set aside of it, because it
    was purged elsewhere, goes too.

    Args:
        repo: where; or with ``remote`` a working copy that knows it.
        context: of the call.
        task: here or there; removed or not.
        remote: name of the remote to purge it from; None for here.
        dry_run: only find out.
        settle: waits until pushes to the remote that began before are over; by default ``SETTLE_S`` seconds.

    Raises:
        NotFoundError: there is no such task, or remote.
        ConflictError: an unfinished iteration of another task builds on it.
        CorruptObjectError: what others need cannot be found out; nothing was deleted.
        AccessDeniedError: permissions forbid it.
    """
    if remote is not None:
        return _purge_there(
            repo, context, task, remote, dry_run=dry_run, settle=settle or partial(time.sleep, SETTLE_S)
        )
    task_head(repo, task)
    _check_running(repo, context, task)
    place, also = here(repo), partial(kept_here, repo)
    if dry_run:
        return PurgeReport.of(place, survey(place, task, also=kept_here(repo, but=task)))
    for one in running(repo):
        if one.task == task:
            with translated("delete", one.folder):
                (one.folder / "state.json").unlink(missing_ok=True)
            shutil.rmtree(one.folder, ignore_errors=True)
    forget_asides(repo.store, task)
    incoming_of(repo).clear()  # what an interrupted fetch left: at worst it is read again
    store, sign = _storing(repo, context, place), tombstone_signer(repo, context)
    report = bury(place, task, store, now=context.timestamp(), also=also, sign=sign)
    if DATA + task in repo.config.settings:
        repo.update_config(lambda config: _without(config, DATA + task))
    return report


def undo(repo: Repository, context: Context, task: str) -> Head:
    """Brings a task back that was set aside here because others purged it, and returns its head; again goes on.

    Raises:
        NotFoundError: nothing of it is set aside, or it was added again since.
        ConflictError: another process moved the head meanwhile.
    """

    def store(aside: Aside, purge: str) -> str:
        agent = committer(repo, context)
        commit = choose(repo.objects, keep=aside.tip, other=purge, agent=agent, now=context.timestamp())
        return put_commit(repo, context, replace(commit, message=f"undo the purge, back to {aside.tip[:10]}"))

    return head_with(repo, bring_back(repo, task, store))


def is_kept(repo: Repository, task: str) -> bool:
    """Returns whether a working copy has a task, removed or not, that was not purged there."""
    head = repo.refs.head(task)
    return head is not None and not is_at_purge(repo.objects, head.commit)


def known_on(repo: Repository, task: str) -> tuple[str, ...]:
    """Returns the remotes that had a task when they were last seen, and where it was not purged since."""
    found = []
    for name, remote in sorted(repo.config.remotes.items()):
        head = read_tracking(repo.state, remote).heads.get(task)
        if head is not None and not begins_anew(repo.objects, head.commit):
            found.append(name)
    return tuple(found)


def _purge_there(
    repo: Repository, context: Context, task: str, name: str, *, dry_run: bool, settle: Callable[[], None]
) -> PurgeReport:
    reached = connect(find_remote(repo.config, name), limits=repo.limits)
    check_own(reached.remote, reached.config().identity, repo.identity)
    place = there(reached, repo)
    if place.refs.head(task) is None:
        known = place.refs.tasks()
        raise NotFoundError(f"There is no task {task} on the remote {name}.", hint=near(task, known, "mu2net fetch"))
    if dry_run:
        return PurgeReport.of(place, survey(place, task))
    store, sign = _storing(repo, context, place), tombstone_signer(repo, context)
    report = bury(place, task, store, now=context.timestamp(), settle=settle, sign=sign)
    with suppress(Mu2netError):  # so that what is known of it is not of before; else the next exchange tells
        fetch(repo, reached, tasks=[task], clock=context.now, policy=requiring(Policy(), trust_of(repo, context)))
    if getattr(reached.store, "keeps_versions", False):
        context.warn(
            f"{name} keeps versions of what is deleted: the bytes of {task} are only hidden there, until the bucket's "
            "own rules remove them, or who may delete versions does."
        )
    return report


def _storing(repo: Repository, context: Context, place: Place) -> Callable[[Survey], str]:
    """Returns what stores the purge commit: the one the task was purged here with, if it was, else a new one."""
    sign = commit_signer(repo, context)

    def store(found: Survey) -> str:
        ours = repo.refs.head(found.task)
        commit = repo.objects.commit(ours.commit) if ours is not None else None
        if commit is not None and is_purge(commit) and place.store is not repo.store:
            task = repo.objects.task(commit.task_id)
            if task == redacted_task(found.task, found.access):
                place.objects.put(task)
                return place.objects.put(commit)
        agent = committer(repo, context)
        return store_purge_commit(place, found, agent=agent, now=context.timestamp(), sign=sign)

    return store


def kept_here(repo: Repository, but: str | None = None) -> Tips:
    """Returns what must stay besides what refs reach, ``but`` for a task's.

    That is fetched work, what running iterations need, and what was set aside.
    """
    return state_tips(repo) | running_tips(repo, but) | aside_tips(repo.store, but=but)


def _check_running(repo: Repository, context: Context, task: str) -> None:
    others = [one.task for one in running(repo) if one.task != task and task in one.learned_from]
    if others:
        raise ConflictError(
            f"Cannot purge {task}: the unfinished iteration of {others[0]} builds on it.",
            hint=f"Finish it first: {context.program} evolve --task {shlex.quote(others[0])}",
        )


def _without(config: Config, key: str) -> Config:
    return config.without_setting(key) if key in config.settings else config
