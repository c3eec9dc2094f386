"""The verbs that change what a system is to learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mu2net_core.api.facade.base import RepoBase
from mu2net_core.api.quiet import ignore

if TYPE_CHECKING:
    from mu2net_core.api.models.add_root import RootResult
    from mu2net_core.api.sharing.purge import PurgeReport
    from mu2net_core.api.tasks.choosing import Chosen
    from mu2net_core.api.tasks.options import TaskOptions
    from mu2net_core.api.tasks.preview import Preview
    from mu2net_core.api.tasks.reset import ResetResult
    from mu2net_core.objects import Head
    from mu2net_core.repo.remotes import Progress

__all__ = ["Growing"]


class Growing(RepoBase):
    """Grow it."""

    def add_root(
        self,
        name: str,
        *,
        root: str = "random",
        seed: int = 0,
        preset: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> RootResult:
        """Adds a root model: one more beginning for first models.

        Args:
            name: of the root.
            root: ``random``, a checkpoint's path or URL, or a name such as ``augreg:Ti_16``.
            seed: of a random root.
            preset: of the root, in a repository of ``auto``; in any other it is the repository's.
            progress: told how far the transfer of a checkpoint is.

        Raises:
            AlreadyExistsError: there is a root of that name, or the same root under another name.
            InvalidInputError: the name cannot be one or is taken, the checkpoint does not fit the preset, or a preset
                is named where there is one, or none where there are several.
            NotFoundError, CorruptObjectError, StorageError, AccessDeniedError: the checkpoint cannot be had.
        """
        from mu2net_core.api.models.add_root import add_root

        return add_root(self.repository, self.context, name, root=root, seed=seed, preset=preset, progress=progress)

    def add_task(
        self,
        uri: str,
        options: TaskOptions | None = None,
        *,
        on_skipped: Callable[[str], None] = ignore,
        on_choice: Callable[[Chosen], None] = ignore,
    ) -> Head:
        """Adds a data set as a task and returns its head; a removed task that is the same takes up its last model.

        In a repository of ``auto`` the task gets a preset, and that a root if it has none.

        Args:
            uri: of the data set: ``cmaterdb/bangla``, ``folder:PATH``, ``archive:PATH``, ``npz:PATH``,
                ``sklearn:digits``, ``csv:PATH``, ``jsonl:PATH``, ``parquet:PATH``, ``datasets:PATH``,
                ``webdataset:PATH``, or a path (``data.csv``).
            options: what is said of it, such as ``m.TaskOptions(private=True)``; what is not, is found.
            on_skipped: called with the name of each broken image left out.
            on_choice: told which preset the task got in a repository of ``auto``, and why.

        Raises:
            AlreadyExistsError: there is a task of that name.
            InvalidInputError: a name, split or option that cannot be right.
            NotFoundError: no such data set, or preset.
            DataError: the data cannot be used as it is.
        """
        from mu2net_core.api.tasks.add_task import add_task
        from mu2net_core.api.tasks.options import TaskOptions

        said = options or TaskOptions()
        return add_task(self.repository, self.context, uri, said, on_skipped=on_skipped, on_choice=on_choice)

    def preview_task(self, uri: str, options: TaskOptions | None = None, *, file: Path | str | None = None) -> Preview:
        """Returns what a data set would be as a task; all of it is read and checked, and nothing is added.

        Args:
            uri: of the data set, as ``add_task`` takes it.
            options: likewise.
            file: where it is written to be looked at: a page that holds all it shows (``.html``), or a contact sheet of
                images (``.png``); None for nowhere.

        Raises:
            AlreadyExistsError, InvalidInputError, NotFoundError, DataError: as by ``add_task``; also where the file can
                be neither.
            AccessDeniedError, StorageError: the file cannot be written.
        """
        from mu2net_core.api.tasks.options import TaskOptions
        from mu2net_core.api.tasks.preview import preview_task

        where = None if file is None else self.context.cwd / file
        return preview_task(self.repository, self.context, uri, options or TaskOptions(), file=where)

    def remove_task(self, task: str, *, dry_run: bool = False) -> Head:
        """Removes a task and returns its last head; its history stays, and models that build on it keep its layers.

        Args:
            task: its name.
            dry_run: only find out; returns the head it has.

        Raises:
            NotFoundError: there is no such task, or it was removed before.
        """
        from mu2net_core.api.tasks.rm_task import rm_task

        return rm_task(self.repository, self.context, task, dry_run=dry_run)

    def purge(
        self,
        task: str,
        *,
        remote: str | None = None,
        dry_run: bool = False,
        now: bool = False,
    ) -> PurgeReport:
        """Deletes a task's history and what only it reached, for good; returns what that took away.

        Args:
            task: here or there; removed or not.
            remote: name of the remote to purge it from; None for here.
            dry_run: only find out.
            now: do not wait, a minute, for pushes to the remote that are under way to end.

        Raises:
            NotFoundError: there is no such task, or remote.
            ConflictError: an unfinished iteration of another task builds on it.
            CorruptObjectError: what others need cannot be found out; nothing was deleted.
            AccessDeniedError: permissions forbid it.
        """
        from mu2net_core.api.sharing.purge import purge

        settle = ignore if now else None
        return purge(self.repository, self.context, task, remote=remote, dry_run=dry_run, settle=settle)

    def undo_purge(self, task: str) -> Head:
        """Brings a task back that a pull set aside because others purged it; returns its head.

        Args:
            task: its name.

        Raises:
            NotFoundError: nothing of it is set aside, or it was added again since.
            ConflictError: another process moved the head meanwhile.
        """
        from mu2net_core.api.sharing.purge import undo

        return undo(self.repository, self.context, task)

    def reset(self, task: str, revision: str, *, dry_run: bool = False) -> ResetResult:
        """Goes back to an earlier state of a task by a new commit; nothing is deleted.

        Args:
            task: whose head.
            revision: a commit of its history, a model one retained, a tag, or ``@{n}`` and ``~n`` without its name.
            dry_run: change nothing.

        Raises:
            NotFoundError: there is no such task or revision; it was purged; or its components are nowhere to be had.
            InvalidInputError: it is of another task, or not in the history of this one.
            ConflictError: another process moved the head meanwhile.
        """
        from mu2net_core.api.tasks.reset import reset

        return reset(self.repository, self.context, task, revision, dry_run=dry_run)
