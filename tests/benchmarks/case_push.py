"""What a push of k new components asks of the remote: every request counts, listings are not allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

from measure import Options, Row

from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.fetching import fetch
from mu2net_core.repo.pushing import push
from mu2net_core.repo.remotes import connect
from mu2net_core.testing.samples import LAYERS, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.wrappers import Watched


def measure(options: Options) -> list[Row]:
    remote = Remote(name="origin", url=str(options.folder / "shared"))
    num_tasks = 2 if options.small else 50
    with mock.patch("os.fsync"):
        repo = sample_repository(options.folder / "work")
        for number in range(num_tasks):
            add_sample_task(repo, f"task-{number}")
            evolve_sample(repo, f"task-{number}", score=0.5)
        push(repo, remote)
        return [_row(repo, remote, num_new, num_tasks) for num_new in range(1, len(LAYERS) + 1)]


def _row(repo: Repository, remote: Remote, num_new: int, num_tasks: int) -> Row:
    evolve_sample(repo, "task-0", score=0.5 + num_new / 10, trains=LAYERS[:num_new], seed=100 + num_new)
    fetch(repo, connect(remote), clock=_now)  # a push right after a pull: the remote was looked at seconds ago
    watched = Watched()
    push(repo, remote, open_store=watched, clock=_now)
    calls = watched.calls
    said = ", ".join(f"{number} {method}" for method, number in sorted(calls.items()))
    return Row(
        case=f"requests of a push, k = {num_new} new components, {num_tasks} tasks",
        floor=f"k = {num_new}",
        ours=f"{calls.total()} ({said})",
        ratio=f"k + {calls.total() - num_new}",
        bar="k + 4, no listing",
    )


def _now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)
