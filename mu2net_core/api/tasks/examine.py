"""What a data set is found to be before it is added as a task: all that ``add-task`` and its preview have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mu2net_core.api.context import Context
from mu2net_core.api.tasks.choosing import chosen_for
from mu2net_core.api.tasks.remarks import remarks
from mu2net_core.api.tasks.rows import RowOptions
from mu2net_core.data import (
    RANGE,
    Described,
    absolute_uri,
    data_folder,
    default_name,
    describe_task,
    is_of_images,
    is_of_rows,
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


def examine(
    repo: Repository,
    context: Context,
    uri: str,
    *,
    name: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    private: bool,
    readers: Sequence[str],
    depth: int | None,
    skip_bad: bool,
    skip_stray: bool,
    value_range: str | None,
    rows: RowOptions | None,
    metric: str | None,
    class_weights: str | None,
    data_dir: str | None,
    preset: str | None,
) -> Examined:
    """Returns what a data set is as a task of a repository; arguments and errors as those of ``add_task``."""
    check_no_secret_in_uri(uri)
    given, uri = uri, absolute_uri(uri, context.cwd)
    name = check_new_name(repo, name if name is not None else default_name(uri), "task")
    access = _access(name, private=private, readers=readers)
    _check_no_group(repo, name, access)
    before = _removed_head(repo, name)
    options = _options(uri, depth=depth, skip_bad=skip_bad, skip_stray=skip_stray, value_range=value_range)
    options |= (rows or RowOptions()).options(uri)
    started_at = context.timestamp()
    try:
        described = describe_task(
            uri,
            name=name,
            train=train,
            validation=validation,
            test=test,
            access=access,
            options=options,
            data_dir=data_folder(data_dir and str(context.cwd / data_dir), context.environ),
            class_weights=class_weights,
        )
    except Mu2netError as exc:
        if split_uri(given)[0] == "tfds":
            raise mistyped(given, context.cwd, exc) from exc
        raise
    described = _measured_by(described, metric)
    place, choice = described.task.source, chosen_for(repo, described, preset)
    task = replace(described.task, source=shared_uri(place), preset=None if choice is None else choice.preset)
    found, sizes = replace(described, task=task), choice is None or preset is not None
    told = (*described.notes, *remarks(repo, context, given, found, sizes=sizes))
    return Examined(described=found, place=place, choice=choice, before=before, remarks=told, started_at=started_at)


def _measured_by(described: Described, metric: str | None) -> Described:
    """Returns what was described, with another metric than the usual one."""
    if metric is None:
        return described
    kind = described.task.output.kind
    known = sorted(name.removeprefix(f"{kind}.") for name in OBJECTIVES.names() if name.startswith(f"{kind}."))
    if metric not in known:
        raise InvalidInputError(f"No metric {metric!r} of {kind}; there are {', '.join(known)}.")
    return replace(described, task=replace(described.task, metric=metric))


def _access(name: str, *, private: bool, readers: Sequence[str]) -> AccessRule:
    if private and readers:
        raise InvalidInputError("A task is either private or has readers, not both.")
    if private:
        return AccessRule.only([name])
    return AccessRule.only(check_name(reader, "reader name") for reader in readers) if readers else PUBLIC


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


def _options(
    uri: str, *, depth: int | None, skip_bad: bool, skip_stray: bool, value_range: str | None
) -> dict[str, int | str | bool]:
    given: dict[str, int | str | bool | None] = {
        "depth": depth,
        "skip_bad": skip_bad or None,
        "skip_stray": skip_stray or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    if options and not is_of_images(uri) and not (is_of_rows(uri) and options.keys() == {"skip_bad"}):
        names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InvalidInputError(f"{names} are for folders of images (folder:PATH, archive:PATH), not for {uri}.")
    return options if value_range is None else {**options, RANGE: value_range}
