"""The verbs that look at a system, and use its models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mu2net_core.api.facade.base import RepoBase

if TYPE_CHECKING:
    from mu2net_core.api.credits.contributors import ContributorsReport
    from mu2net_core.api.looking.ancestry import Ancestry
    from mu2net_core.api.looking.log import LogEntry
    from mu2net_core.api.looking.reflog import ReflogEntry
    from mu2net_core.api.looking.show import Shown
    from mu2net_core.api.looking.status import StatusReport
    from mu2net_core.api.looking.tasks import TaskInfo
    from mu2net_core.api.models.evaluate import EvalResult
    from mu2net_core.api.models.predict import Prediction, Predictor, Unreadable
    from mu2net_core.api.models.records import Given
    from mu2net_core.insight import Leaderboard
    from mu2net_core.repo.remotes import Progress

__all__ = ["Looking"]


class Looking(RepoBase):
    """Look at it, and use its models."""

    def tasks(self, *, removed: bool = False) -> tuple[TaskInfo, ...]:
        """Returns the tasks by name, with their data and where they stand.

        Args:
            removed: list removed and purged ones too.
        """
        from mu2net_core.api.looking.tasks import tasks

        return tasks(self.repository, removed=removed)

    def status(self, *, remote: str | None = None) -> StatusReport:
        """Returns what is where, who works on what, and what to do next.

        Args:
            remote: one that is asked which agents work there; without it no remote is asked anything.

        Raises:
            NotFoundError: there is no such remote, or no repository there yet.
            AccessDeniedError: permissions forbid it.
            StorageError: it cannot be reached.
        """
        from mu2net_core.api.looking.status import status

        return status(self.repository, self.context, remote=remote)

    def log(
        self, task: str | None = None, *, since: datetime | None = None, limit: int | None = None
    ) -> Iterator[LogEntry]:
        """Yields what happened, newest first; a commit always comes before its parents.

        Args:
            task: only this task; removed ones too.
            since: nothing that finished earlier.
            limit: at most so many.

        Raises:
            NotFoundError: there is no such task.
        """
        from mu2net_core.api.looking.log import log

        return log(self.repository, task, since=since, limit=limit)

    def reflog(self, task: str | None = None) -> tuple[ReflogEntry, ...]:
        """Returns where a head stood, newest first; all heads, task by task, without ``task``.

        Args:
            task: whose head.

        Raises:
            NotFoundError: there is no such task.
            CorruptObjectError: an entry is damaged or does not follow the one before it.
        """
        from mu2net_core.api.looking.reflog import reflog

        return reflog(self.repository, task)

    def show(self, revision: str) -> Shown:
        """Returns one object with all that its manifest says.

        Args:
            revision: a task, a place in its history (``TASK@{1}``, ``TASK~2``), a tag, a root or an id.

        Raises:
            NotFoundError: nothing is called so; near names are in the hint.
            InvalidInputError: an id's beginning that several objects share.
        """
        from mu2net_core.api.looking.show import show

        return show(self.repository, revision)

    def leaderboard(self, at: str | None = None) -> Leaderboard:
        """Returns accuracy, size and cost of every task's model.

        Args:
            at: a tag or snapshot; None for now.

        Raises:
            InvalidInputError: ``at`` is not a snapshot.
            NotFoundError: nothing is called ``at``.
        """
        from mu2net_core.api.looking.leaderboard import leaderboard

        return leaderboard(self.repository, at)

    def ancestry(self, revision: str) -> Ancestry:
        """Returns where every layer of a model comes from, and what each task taught it.

        Args:
            revision: a task, commit or model.

        Raises:
            NotFoundError: nothing is called so, or the task has no model yet.
            InvalidInputError: it names something that has no one model.
        """
        from mu2net_core.api.looking.ancestry import ancestry

        return ancestry(self.repository, revision)

    def contributors(
        self,
        tasks: Sequence[str] = (),
        *,
        since: datetime | None = None,
        remote: str | None = None,
        keys: Path | None = None,
        mailmap: Path | None = None,
    ) -> ContributorsReport:
        """Returns who brought what: gains, time, children, iterations, tasks and reuse, by task and in all.

        Args:
            tasks: only what was brought to these, removed ones too; all by default.
            since: nothing that finished earlier.
            remote: only tasks that the readers of this remote may see; no other is counted, or named.
            keys: a file of allowed keys, as ssh's ``allowed_signers``; by default what ``pull.require_signed`` names.
            mailmap: what people are called; by default ``.mailmap`` in the folder of the working copy, if it is there.

        Raises:
            NotFoundError: there is no such task, remote or file.
            InvalidInputError: a file cannot be read, or readers of the remote may not see one of ``tasks``.
        """
        from mu2net_core.api.credits.contributors import contributors

        return contributors(
            self.repository, self.context, tasks, since=since, remote=remote, keys=keys, mailmap=mailmap
        )

    def evaluate(
        self,
        revision: str,
        *,
        split: str = "test",
        by_class: bool = False,
        wrong: bool = False,
        report: bool = False,
        stored: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> EvalResult:
        """Measures a stored model on every example of one of its task's splits.

        Args:
            revision: a task, commit or model.
            split: of the task: ``train``, ``validation`` or ``test``.
            by_class: tell precision and recall of every class or label, and which classes are taken for which.
            wrong: tell every example that the model gets wrong, of classes.
            report: tell the same by class, whether probabilities mean what they say, how far numbers are from the
                truth, and the examples that the model is most wrong about. It is stored beside the commit.
            stored: tell the report that is stored, as whoever measured it left it, and measure nothing.
            progress: told of every component that is brought.

        Raises:
            InvalidInputError: no such split, the revision is a root model, which solves no task, or what is to be told
                cannot be told of what comes out.
            NotFoundError: no such revision, the task has no model yet, or no report of it is stored.
        """
        from mu2net_core.api.models.evaluate import evaluate

        return evaluate(
            self.repository,
            self.context,
            revision,
            split=split,
            by_class=by_class,
            wrong=wrong,
            report=report,
            stored=stored,
            progress=progress,
        )

    def model(self, revision: str, *, progress: Callable[[Progress], None] | None = None) -> Predictor:
        """Returns a model, its components read once, ready to predict from arrays and files.

        Args:
            revision: a task, commit or model.
            progress: told of every component that is brought.

        Raises:
            NotFoundError: no such revision, or the task has no model yet.
            InvalidInputError: the revision is a root model, which solves no task.
        """
        from mu2net_core.api.models.predict import Predictor

        return Predictor(self.repository, self.context, revision, progress=progress)

    def predict(
        self,
        revision: str,
        examples: Given | Iterable[Given],
        *,
        top: int = 1,
        resize: bool = False,
        threshold: float = 0.5,
        progress: Callable[[Progress], None] | None = None,
    ) -> Iterator[Prediction | Unreadable]:
        """Returns an iterator over what a model says of examples, in order; what cannot be read is told in its place.

        The model is loaded at once. Examples are read batch by batch as the iterator goes on, however many there are.

        Args:
            revision: a task, commit or model.
            examples: one or many. Images: files, folders (all images below them, sorted by name), and encoded images
                as bytes. Texts: strings, and bytes of UTF-8 with a text on each line. Rows: files of rows, JSON
                objects, in bytes one on each line, and mappings.
            top: how many of the likeliest classes are told.
            resize: accept images of any size and mode, and convert them as training did.
            threshold: how likely a label must be to be said, of a task with several.
            progress: told of every component that is brought.

        Raises:
            NotFoundError: no such revision, or the task has no model yet.
            InvalidInputError: the revision is a root model, which solves no task.
        """
        from mu2net_core.api.models.predict import predict

        return predict(
            self.repository,
            self.context,
            revision,
            examples,
            top=top,
            resize=resize,
            threshold=threshold,
            progress=progress,
        )
