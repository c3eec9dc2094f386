"""A repository as Python users hold it: every verb of the command line as a method.

    import mu2net_core as m

    repo = m.open("chars")
    repo.add_task("cmaterdb/bangla")
    repo.evolve(tasks=["cmaterdb/bangla"], seed=1)
    labels = repo.model("cmaterdb/bangla").predict(images)

What works less well than it could, or is remarkable about new data, is a Python warning (``UserWarning``).
Methods import what they need when they are called, so that looking at a repository costs no JAX.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mu2net_core.api.context import Context
from mu2net_core.api.open import open_repo

if TYPE_CHECKING:
    from mu2net_core.api.add_root import RootResult
    from mu2net_core.api.ancestry import Ancestry
    from mu2net_core.api.check_remote import RemoteCheck
    from mu2net_core.api.evaluate import EvalResult
    from mu2net_core.api.evolve import EvolveResult
    from mu2net_core.api.log import LogEntry
    from mu2net_core.api.predict import Predictor
    from mu2net_core.api.purge import PurgeReport
    from mu2net_core.api.reflog import ReflogEntry
    from mu2net_core.api.replay import ReplayReport
    from mu2net_core.api.reset import ResetResult
    from mu2net_core.api.status import StatusReport
    from mu2net_core.api.tasks import TaskInfo
    from mu2net_core.api.verify import VerifyReport
    from mu2net_core.engine.events import Event
    from mu2net_core.insight import Leaderboard
    from mu2net_core.objects import Head
    from mu2net_core.repo import Repository
    from mu2net_core.repo.cache import PruneReport
    from mu2net_core.repo.fsck import FsckReport
    from mu2net_core.repo.gc import GcReport
    from mu2net_core.repo.outcomes import Exchange, Progress

__all__ = ["Repo", "clone", "init", "open"]


class Repo:
    """An open repository.

    Attributes:
        repository: the same, as the functions in ``mu2net_core.api`` take it.
        context: clock, environment and working folder the methods use.
    """

    def __init__(self, repository: Repository, context: Context) -> None:
        self.repository = repository
        self.context = context

    def tasks(self) -> tuple[TaskInfo, ...]:
        """Returns every task with where it stands."""
        from mu2net_core.api.tasks import tasks

        return tasks(self.repository)

    def add_task(self, uri: str, **options: Any) -> Head:
        """Adds a data set as a task; options as of ``mu2net_core.api.add_task.add_task``."""
        from mu2net_core.api.add_task import add_task

        return add_task(self.repository, self.context, uri, **options)

    def add_root(
        self, name: str, *, root: str = "random", seed: int = 0, watch: Callable[[Progress], None] | None = None
    ) -> RootResult:
        """Adds a root model of the repository's preset; see ``mu2net_core.api.add_root.add_root``."""
        from mu2net_core.api.add_root import add_root

        return add_root(self.repository, self.context, name, root=root, seed=seed, watch=watch)

    def remove_task(self, task: str) -> Head:
        """Removes a task; its history stays."""
        from mu2net_core.api.rm_task import rm_task

        return rm_task(self.repository, self.context, task)

    def purge(self, task: str, *, remote: str | None = None, dry_run: bool = False) -> PurgeReport:
        """Deletes a task's history, and what only it reached, here or on a remote."""
        from mu2net_core.api.purge import purge

        return purge(self.repository, self.context, task, remote=remote, dry_run=dry_run)

    def reset(self, task: str, revision: str) -> ResetResult:
        """Goes back to an earlier state of a task; nothing is deleted."""
        from mu2net_core.api.reset import reset

        return reset(self.repository, self.context, task, revision)

    def evolve(
        self,
        *,
        tasks: Sequence[str] | None = None,
        iterations: int = 1,
        generations: int | None = None,
        children: int | None = None,
        validations: int | None = None,
        seed: int | None = None,
        budget_s: float | None = None,
        restart: bool = False,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> EvolveResult:
        """Improves ``tasks``, all of them by default; see ``mu2net_core.api.evolve.evolve``."""
        from mu2net_core.api.evolve import evolve

        return evolve(
            self.repository,
            self.context,
            tasks=[info.name for info in self.tasks()] if tasks is None else tasks,
            iterations=iterations,
            generations=generations,
            children=children,
            validations=validations,
            seed=seed,
            budget_s=budget_s,
            restart=restart,
            on_event=on_event,
        )

    def replay(self, revision: str, *, on_event: Callable[[Event], None] = lambda _event: None) -> ReplayReport:
        """Does the iteration of a commit again and says whether the same comes out; changes nothing."""
        from mu2net_core.api.replay import replay

        return replay(self.repository, self.context, revision, on_event=on_event)

    def model(self, revision: str) -> Predictor:
        """Returns the model that a task, commit or id names, ready to predict."""
        from mu2net_core.api.predict import Predictor

        return Predictor(self.repository, self.context, revision)

    def evaluate(self, revision: str, *, split: str = "test") -> EvalResult:
        """Measures a stored model on one of its task's splits."""
        from mu2net_core.api.evaluate import evaluate

        return evaluate(self.repository, self.context, revision, split=split)

    def log(self, task: str | None = None, *, limit: int | None = None) -> Iterator[LogEntry]:
        """Yields what happened, newest first."""
        from mu2net_core.api.log import log

        return log(self.repository, task, limit=limit)

    def reflog(self, task: str | None = None) -> tuple[ReflogEntry, ...]:
        """Returns where the heads stood, newest first."""
        from mu2net_core.api.reflog import reflog

        return reflog(self.repository, task)

    def status(self) -> StatusReport:
        """Returns what is where, and what to do next."""
        from mu2net_core.api.status import status

        return status(self.repository, self.context)

    def leaderboard(self) -> Leaderboard:
        """Returns each task's best model with its quality and costs."""
        from mu2net_core.api.leaderboard import leaderboard

        return leaderboard(self.repository)

    def ancestry(self, revision: str) -> Ancestry:
        """Returns the lineage of every layer of a model."""
        from mu2net_core.api.ancestry import ancestry

        return ancestry(self.repository, revision)

    def add_remote(
        self,
        name: str,
        url: str,
        *,
        readers: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> None:
        """Makes another repository known under ``name``, after a look at what it allows unless ``check`` is False.

        Args:
            name: what to call it.
            url: a folder or URL.
            readers: who can read it; none means everybody.
            options: how to reach it: endpoint, region, profile, anonymous, account, project; never a secret.
            check: whether to probe it first.
        """
        from mu2net_core.api.remote import add

        add(self.repository, self.context, name, url, readers=readers, options=options, check=check)

    def check_remotes(self, name: str | None = None) -> tuple[RemoteCheck, ...]:
        """Returns what a remote, or every remote, allows and keeps."""
        from mu2net_core.api.check_remote import check

        return check(self.repository, self.context, name)

    def push(self, remote: str | None = None, *, tasks: Sequence[str] = ()) -> Exchange:
        """Sends our work to a remote."""
        from mu2net_core.api.push import push

        return push(self.repository, self.context, remote, tasks)

    def pull(self, remote: str | None = None, *, tasks: Sequence[str] = ()) -> Exchange:
        """Brings a remote's work here and joins it with ours."""
        from mu2net_core.api.pull import pull

        return pull(self.repository, self.context, remote, tasks)

    def gc(self, *, remote: str | None = None, dry_run: bool = True) -> GcReport:
        """Finds what nobody needs any more; deletes it if it is no dry run."""
        from mu2net_core.api.gc import gc

        return gc(self.repository, self.context, remote=remote, dry_run=dry_run)

    def verify(self, revision: str | None = None, *, keys: Path | None = None) -> VerifyReport:
        """Returns who signed the history of a task, a commit or a tag; of everything by default."""
        from mu2net_core.api.verify import verify

        return verify(self.repository, self.context, revision, keys=keys)

    def fsck(self, *, remote: str | None = None, repair_from: str | None = None) -> FsckReport:
        """Checks everything here, or on a remote; heals it from another copy if one is named."""
        from mu2net_core.api.fsck import fsck

        return fsck(self.repository, self.context, remote=remote, repair_from=repair_from)

    def prune_cache(self, max_size: str) -> PruneReport:
        """Deletes the components that were unused for longest and can be fetched again; ``max_size`` of them stay."""
        from mu2net_core.api.cache import prune

        return prune(self.repository, self.context, max_size)

    def __repr__(self) -> str:
        return f"Repo({str(self.repository.worktree)!r})"


def _context() -> Context:
    """Returns the context of this process, whose remarks are Python's warnings, blamed on whoever called a method."""
    return replace(Context.default(), warn=lambda text: warnings.warn(text, stacklevel=4))


def open(path: Path | str | None = None) -> Repo:  # noqa: A001  reads as mu2net_core.open
    """Returns the repository at ``path``, by default the one the current folder lies in.

    Raises:
        NotFoundError: there is none.
    """
    context = _context()
    return Repo(open_repo(path, context), context)


def init(folder: Path | str, *, preset: str = "vit-ti0", root: str = "random", seed: int = 0) -> Repo:
    """Makes a repository in ``folder`` with a root model, random or from a checkpoint, and returns it."""
    from mu2net_core.api.init import init as make

    context = _context()
    return Repo(open_repo(make(Path(folder), context, preset=preset, root=root, seed=seed).path, context), context)


def clone(
    url: str, folder: Path | str | None = None, *, full: bool = False, options: Mapping[str, str] | None = None
) -> Repo:
    """Clones the repository at ``url``, reached as ``options`` say (as of ``add_remote``), and returns the clone."""
    from mu2net_core.api.clone import clone as copy

    context = _context()
    result = copy(url, None if folder is None else Path(folder), context, full=full, options=options)
    return Repo(open_repo(result.path, context), context)
