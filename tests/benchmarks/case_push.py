"""What a push of k new components asks of the remote, right after it was looked at and later; all requests count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock

from measure import Options, Row

from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import DistantStore, Watched

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def measure(options: Options) -> list[Row]:
    remote = Remote(name="origin", url=str(options.folder / "shared"))
    num_tasks = 2 if options.small else 50
    with mock.patch("os.fsync"):
        repo = sample_repository(options.folder / "work")
        for number in range(num_tasks):
            add_sample_task(repo, f"task-{number}")
            evolve_sample(repo, f"task-{number}", score=0.5)
        push(repo, remote)
        layers = range(1, len(LAYERS) + 1)
        rows = [_row(repo, remote, num_new, num_tasks, seconds=0) for num_new in layers]
        return [*rows, _row(repo, remote, 1, num_tasks, seconds=31)]


def _row(repo: Repository, remote: Remote, num_new: int, num_tasks: int, *, seconds: float) -> Row:
    """Returns what a push asks that comes so many ``seconds`` after a pull."""
    score = 0.5 + num_new / 10 + seconds / 1000
    evolve_sample(repo, "task-0", score=score, trains=LAYERS[:num_new], seed=100 + num_new + round(seconds))
    fetch(repo, connect(remote), clock=lambda: _NOON)
    watched = Watched(DistantStore)  # a folder is looked at each time
    push(repo, remote, open_store=watched, clock=lambda: _NOON + timedelta(seconds=seconds))
    calls = watched.calls
    said = ", ".join(f"{number} {method}" for method, number in sorted(calls.items()))
    later = f", {seconds:.0f} s later" if seconds else ""
    return Row(
        case=f"requests of a push, k = {num_new} new components, {num_tasks} tasks{later}",
        floor=f"k = {num_new}",
        ours=f"{calls.total()} ({said})",
        ratio=f"k + {calls.total() - num_new}",
        bar="k + 6" if seconds else "k + 5, no listing",
    )
