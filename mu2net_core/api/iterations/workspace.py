"""Where a running iteration keeps what is not published yet: its state and its components, in ``state/iterations``.

Nothing here is shared. A crash loses the running generation at most; when the iteration is over, what the head needs
is moved to the repository and the rest is deleted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mu2net_core.api.iterations.running import folder_of, lock_of
from mu2net_core.engine import IterationState
from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Component, ComponentRef, decode, encode
from mu2net_core.repo import ObjectDatabase, Repository
from mu2net_core.repo.remotes import Counter, bring_components
from mu2net_core.storage import FileLock, LocalStore, make_folder, read_if_there, replace_file, translated

__all__ = ["Workspace"]

_STATE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The unpublished part of one task's running iteration.

    Attributes:
        repo: the repository it belongs to.
        folder: where it lies.
        objects: the components of children that were kept.
    """

    repo: Repository
    folder: Path
    objects: ObjectDatabase

    @classmethod
    def of(cls, repo: Repository, task: str, slot: int = 0) -> Workspace:
        """Returns the workspace of the agent in ``slot`` for a task."""
        return cls.at(repo, folder_of(repo, task, slot))

    @classmethod
    def at(cls, repo: Repository, folder: Path) -> Workspace:
        """Returns a workspace in any other folder, which nobody resumes from."""
        return cls(repo=repo, folder=folder, objects=ObjectDatabase(LocalStore(folder)))

    def lock(self, task: str) -> FileLock:
        """Returns a lock that one process at a time can hold, and that dies with it."""
        return FileLock(lock_of(self.folder), what=f"the evolution of {task} in this working copy")

    def load(self) -> IterationState | None:
        """Returns the state of an iteration that was interrupted, or None.

        Raises:
            CorruptObjectError: the state is damaged, or components it needs are, or are gone: it can never be finished.
        """
        file = self.folder / _STATE
        data = read_if_there(file)
        if data is None:
            return None
        try:
            state = decode(data, IterationState, what=str(file))
            self._check_components(state)
        except NotFoundError as exc:
            raise CorruptObjectError(f"What it trained is not all there. {exc.message}") from exc
        return state

    def _check_components(self, state: IterationState) -> None:
        """Checks that everything the children of this iteration trained is here and undamaged."""
        for member in state.population.members:
            if not member.model.is_retained:
                for ref in member.model.components:
                    if ref.trainable:
                        self.objects.read("component", ref.id)

    def save(self, state: IterationState) -> None:
        """Makes ``state`` the one to resume from."""
        with translated("create", self.folder):
            make_folder(self.folder, sync=False)
        replace_file(self.folder / _STATE, encode(state))

    def save_component(self, component: Component) -> tuple[str, int]:
        """Keeps a component until the iteration is over; returns its id and size in bytes."""
        return self.objects.put_component(component)

    def component(self, oid: str) -> Component:
        """Returns a component of this iteration or of the repository."""
        try:
            return self.objects.component(oid)
        except NotFoundError:
            return self.repo.objects.component(oid)

    def bring(self, refs: Iterable[ComponentRef]) -> None:
        """Brings those of ``refs`` that are neither of this iteration nor in the repository, all together."""
        bring_components(self.repo, (r for r in refs if not self.objects.has("component", r.id)), counter=Counter())

    def publish_component(self, oid: str) -> None:
        """Moves a component to the repository, if it is not there yet."""
        try:
            data = self.objects.read("component", oid)
        except NotFoundError:
            return
        self.repo.objects.put_bytes("component", data)

    def clear(self) -> None:
        """Deletes all of the iteration: the state first, so that no crash leaves one whose components are gone."""
        file = self.folder / _STATE
        with translated("delete", file):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
