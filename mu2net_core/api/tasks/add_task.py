"""``add-task``: a data set becomes a task, with exact splits and fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mu2net_core.api.context import Context
from mu2net_core.api.quiet import ignore
from mu2net_core.api.signing.signing import committer, put_commit
from mu2net_core.api.tasks.choosing import Chosen, chosen_for, with_root
from mu2net_core.api.tasks.remarks import remarks
from mu2net_core.api.tasks.rows import RowOptions
from mu2net_core.data import (
    RANGE,
    Described,
    absolute_uri,
    data_folder,
    default_name,
    describe_task,
    is_catalogue,
    is_of_images,
    is_of_rows,
    mistyped,
    shared_uri,
    split_uri,
)
from mu2net_core.errors import AlreadyExistsError, ConflictError, InvalidInputError, Mu2netError
from mu2net_core.objectives import OBJECTIVES
from mu2net_core.objects import PUBLIC, AccessRule, Commit, Head, check_name
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.core import DATA
from mu2net_core.repo.exchange import is_group
from mu2net_core.repo.history import ancestry, check_new_name, is_at_purge
from mu2net_core.storage import check_no_secret_in_uri

__all__ = ["add_task", "was_purged"]


def add_task(
    repo: Repository,
    context: Context,
    uri: str,
    *,
    name: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    private: bool = False,
    readers: Sequence[str] = (),
    depth: int | None = None,
    skip_bad: bool = False,
    skip_stray: bool = False,
    value_range: str | None = None,
    rows: RowOptions | None = None,
    metric: str | None = None,
    class_weights: str | None = None,
    data_dir: str | None = None,
    preset: str | None = None,
    on_skipped: Callable[[str], None] = ignore,
    on_choice: Callable[[Chosen], None] = ignore,
) -> Head:
    """Adds a task and returns its head.

    Where the data lies on this machine is noted in this machine's settings; of a path the task has the last part only.
    It has no model yet, unless the task was removed and is the same again (data, splits, options, readers): then the
    last model it had before is taken up. In a repository of ``auto`` it gets a preset of its own, and that a root.

    Args:
        repo: where to add it.
        context: of this process.
        uri: of the data set: ``cmaterdb/bangla``, ``folder:PATH``, ``archive:PATH``, ``npz:PATH``,
            ``sklearn:digits``, ``csv:PATH``, ``jsonl:PATH``, ``parquet:PATH``, or a path (``data.csv``).
        name: of the task; None for the one the URI suggests.
        train: split specification, e.g. ``train[20%:]``; None for the default.
        validation: likewise.
        test: likewise.
        private: only the task itself may use what is learned from it.
        readers: groups that may use what is learned from it; none and not ``private`` means everybody.
        depth: of class folders, for ``folder:`` and ``archive:``.
        skip_bad: leave broken images of a folder, or what is no row of a file, out.
        skip_stray: leave images of a folder out that lie at another depth, or beside its splits.
        value_range: ``LOW:HIGH``, what becomes black and white in images of more than 8 bits; None for the usual.
        rows: how rows are read, and which of their columns are what.
        metric: by which quality is measured; None for the usual one of what comes out.
        class_weights: ``balanced`` lets the examples of rare classes, or labels, count more in the loss; quality stays
            what it is.
        data_dir: where prepared catalogue data lies.
        preset: that serves the task, in a repository of ``auto``; None lets its data say.
        on_skipped: called with the name of each broken image left out.
        on_choice: told which preset the task got, and why, in a repository of ``auto``.

    Raises:
        AlreadyExistsError: there is a task of that name.
        InvalidInputError: a name, split or option that cannot be right, or a URI with a password or key in it.
        NotFoundError: no such data set, or preset.
        DataError: the data cannot be used as it is.
    """
    check_no_secret_in_uri(uri)
    given, uri = uri, absolute_uri(uri, context.cwd)
    name = check_new_name(repo, name if name is not None else default_name(uri), "task")
    access = _access(name, private=private, readers=readers)
    _check_no_group(repo, name, access)
    before = _removed_head(repo, name)
    removal = repo.objects.commit(before.commit) if before is not None else None
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
    for skipped in described.skipped:
        on_skipped(skipped)
    place, choice = described.task.source, chosen_for(repo, described, preset)
    task = replace(described.task, source=shared_uri(place), preset=None if choice is None else choice.preset)
    found, sizes = replace(described, task=task), choice is None or preset is not None
    for remark in (*described.notes, *remarks(repo, context, given, found, sizes=sizes)):
        context.warn(remark)
    if choice is not None:
        on_choice(with_root(repo, choice))
    task_id = repo.objects.put(task)
    model = None if before is None else _last_model(repo, before, task_id)
    commit = Commit(
        task=name,
        task_id=task_id,
        model=model,
        parents=(before.commit,) if before is not None else (),
        identity=repo.identity if before is None else None,
        iteration=removal.iteration if removal is not None else 0,
        selections=removal.selections if removal is not None else {},
        agent=committer(repo, context),
        started_at=started_at,
        finished_at=context.timestamp(),
        message=f"add task {name}" + (" again, with its last model" if model is not None else ""),
    )
    commit_id = put_commit(repo, context, commit)
    try:
        repo.refs.append(name, commit_id, after=before)
    except ConflictError as exc:
        raise _exists(name) from exc
    if not is_catalogue(place):
        _keep_place(repo, context, name, place)
    return Head(
        commit_id=commit_id,
        commit=commit,
        task=task,
        model=None if model is None else repo.objects.model(model),
    )


def _measured_by(described: Described, metric: str | None) -> Described:
    """Returns what was described, with another metric than the usual one."""
    if metric is None:
        return described
    kind = described.task.output.kind
    known = sorted(name.removeprefix(f"{kind}.") for name in OBJECTIVES.names() if name.startswith(f"{kind}."))
    if metric not in known:
        raise InvalidInputError(f"No metric {metric!r} of {kind}; there are {', '.join(known)}.")
    return replace(described, task=replace(described.task, metric=metric))


def was_purged(repo: Repository, head: Head) -> bool:
    """Returns whether a task that was just added is one that was purged before."""
    return any(is_at_purge(repo.objects, parent) for parent in head.commit.parents)


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
        raise _exists(name)
    return state


def _exists(name: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"There is a task {name} already.",
        hint=f"Choose another name with --name, or remove it: mu2net rm-task {name}",
    )


def _last_model(repo: Repository, before: HeadState, task_id: str) -> str | None:
    """Returns the newest model of the task's history that was made for the very same task object, or None."""
    commits = map(repo.objects.commit, ancestry(repo.objects, [before.commit]))
    return next((commit.model for commit in commits if commit.model is not None and commit.task_id == task_id), None)


def _keep_place(repo: Repository, context: Context, name: str, source: str) -> None:
    """Notes where the data lies on this machine: whoever added the task said so here, and that never goes along."""
    try:
        repo.update_config(lambda config: config.with_setting(f"{DATA}{name}", source))
    except (ConflictError, InvalidInputError) as exc:
        context.warn(f"where the data of {name} lies could not be noted: {exc.message}")


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
