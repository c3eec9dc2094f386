"""What a data set is found to be before it is added as a task: all that ``add-task`` and its preview have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mu2net_core.api.context import Context
from mu2net_core.api.tasks.choosing import chosen_for
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.remarks import remarks
from mu2net_core.data import (
    Described,
    absolute_uri,
    data_folder,
    default_name,
    describe_task,
    mistyped,
    shared_uri,
    split_uri,
)
from mu2net_core.errors import AlreadyExistsError, InvalidInputError, Mu2netError
from mu2net_core.objectives import OBJECTIVES
from mu2net_core.objects import PUBLIC, AccessRule, check_name
from mu2net_core.presets import Choice
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.exchange import is_group
from mu2net_core.repo.history import check_new_name
from mu2net_core.storage import check_no_secret_in_uri

__all__ = ["Examined", "examine", "exists"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found.

    Attributes:
        described: the task as it would be stored, and what is remarkable about its data.
        place: the URI of the data on this machine.
        choice: of a preset, in a repository of ``auto``.
        before: where the head of a removed task of that name stands.
        remarks: what whoever adds it should know, one sentence each.
        started_at: when that began.
    """

    described: Described
    place: str
    choice: Choice | None
    before: HeadState | None
    remarks: tuple[str, ...]
    started_at: str


def examine(repo: Repository, context: Context, uri: str, options: TaskOptions) -> Examined:
    """Returns what a data set is as a task of a repository; arguments and errors as those of ``add_task``."""
    check_no_secret_in_uri(uri)
    given, uri = uri, absolute_uri(uri, context.cwd)
    name = check_new_name(repo, default_name(uri) if options.name is None else options.name, "task")
    access = _access(name, options)
    _check_no_group(repo, name, access)
    before = _removed_head(repo, name)
    said = options.of_source(uri)
    _check_metric(options, options.output)
    started_at = context.timestamp()
    try:
        described = describe_task(
            uri,
            name=name,
            train=options.train,
            validation=options.validation,
            test=options.test,
            access=access,
            options=said,
            data_dir=data_folder(options.data_dir and str(context.cwd / options.data_dir), context.environ),
            class_weights=options.class_weights,
            limits=repo.limits,
            check=lambda output: _check_metric(options, output.kind),
        )
    except Mu2netError as exc:
        if split_uri(given)[0] == "tfds":
            raise mistyped(given, context.cwd, exc) from exc
        raise
    place, choice = described.task.source, chosen_for(repo, described, options.preset)
    task = replace(
        described.task,
        source=shared_uri(place),
        metric=options.metric or described.task.metric,
        preset=None if choice is None else choice.preset,
    )
    found, sizes = replace(described, task=task), choice is None or options.preset is not None
    told = (*described.notes, *remarks(repo, context, given, found, sizes=sizes))
    return Examined(described=found, place=place, choice=choice, before=before, remarks=told, started_at=started_at)


def _check_metric(options: TaskOptions, kind: str | None) -> None:
    """Checks that a metric that was named is one of a kind of output; of any, as long as it is not known."""
    names = [name.partition(".") for name in OBJECTIVES.names() if kind in {None, name.partition(".")[0]}]
    if options.metric is not None and options.metric not in {metric for _, _, metric in names}:
        there = ", ".join(sorted({metric for _, _, metric in names}))
        raise InvalidInputError(f"No metric {options.metric!r}{f' of {kind}' if kind else ''}; there are {there}.")


def _access(name: str, options: TaskOptions) -> AccessRule:
    if options.private and options.readers:
        raise InvalidInputError("A task is either private or has readers, not both.")
    if options.private:
        return AccessRule.only([name])
    readers = [check_name(reader, "reader name") for reader in options.readers]
    return AccessRule.only(readers) if readers else PUBLIC


def _check_no_group(repo: Repository, name: str, access: AccessRule) -> None:
    """Refuses a private task that is called as a group: whoever belongs to that would not, any more."""
    user = is_group(repo, name) if name in (access.readers or ()) else None
    if user is not None:
        raise InvalidInputError(
            f"Cannot call a private task {name}: the task {user} names a group that is called so as a reader.",
            hint="Choose another name with --name",
        )


def _removed_head(repo: Repository, name: str) -> HeadState | None:
    """Returns where the head of a removed task of this name stands; None if there never was one."""
    state = repo.refs.head(name)
    if state is not None and not repo.objects.commit(state.commit).removed:
        raise exists(name)
    return state


def exists(name: str) -> AlreadyExistsError:
    """Returns the error for a name that a task has already."""
    return AlreadyExistsError(
        f"There is a task {name} already.",
        hint=f"Choose another name with --name, or remove it: mu2net rm-task {name}",
    )
