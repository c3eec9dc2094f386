"""What tests of working copies that share a remote keep doing and asking."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mu2net_core.api.sharing.clone import CloneResult
from mu2net_core.objects import PUBLIC, AccessRule
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.exchange import Policy, adopt, fetch
from mu2net_core.repo.remotes import Exchange, TaskReport, attach, connect, read_tracking
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

__all__ = ["add_tasks", "broken", "clone_of", "commit_of", "model_of", "outcomes", "pull", "there", "working_copy"]

_BEST = Policy()


def commit_of(repo: Repository, task: str) -> str:
    """Returns the commit that the head of ``task`` names."""
    state = repo.refs.head(task)
    assert state is not None
    return state.commit


def model_of(repo: Repository, task: str) -> str:
    """Returns the id of the model that ``task`` retains."""
    model_id = repo.objects.commit(commit_of(repo, task)).model
    assert model_id is not None
    return model_id


def outcomes(reports: Exchange | Iterable[TaskReport]) -> dict[str, str]:
    """Returns what became of each task."""
    tasks = reports.tasks if isinstance(reports, Exchange) else reports
    return {report.task: report.outcome for report in tasks}


def broken(exchange: Exchange | CloneResult) -> dict[str, str]:
    """Returns why tasks, tags and roots are broken on the remote, by what they are and their names."""
    named = (("task", "task", exchange.tasks), ("tag", "name", exchange.tags), ("root", "name", exchange.roots))
    return {
        f"{kind} {getattr(report, key)}": report.reason or ""
        for kind, key, reports in named
        for report in reports
        if report.outcome == "broken"
    }


def there(remote: Remote) -> Repository:
    """Returns the repository that a remote in a folder is."""
    return open_repository(Path(remote.url))


def working_copy(folder: Path, *places: Remote) -> Repository:
    """Returns a working copy that knows these remotes and has no task."""
    repo = sample_repository(folder)
    for remote in places:
        repo.update_config(lambda config, remote=remote: config.with_remote(remote))  # type: ignore[misc]
    attach(repo)
    return repo


def add_tasks(repo: Repository, *tasks: str, access: AccessRule = PUBLIC) -> None:
    """Adds tasks, each with a model of its own."""
    for task in tasks:
        add_sample_task(repo, task, access)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))


def clone_of(remote: Remote, folder: Path) -> Repository:
    """Returns a second working copy, at the remote's heads."""
    repo = working_copy(folder, remote)
    pull(repo, remote)
    return repo


def pull(repo: Repository, remote: Remote, policy: Policy = _BEST) -> tuple[TaskReport, ...]:
    """Fetches all there is and takes it over; returns what became of each task."""
    fetch(repo, connect(remote))
    tracking = read_tracking(repo.state, remote)
    return adopt(repo, tracking, tracking.heads, policy)
