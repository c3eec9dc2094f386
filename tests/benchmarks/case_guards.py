"""What it costs to trust nobody: a fetch and a pull that judge all that arrives beside ones that do not, and a whole
check beside reading, hashing and decoding each object once. Processor time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest import mock

from measure import Options, Row, Spent, interleave_spent, seconds, spent, times

from mu2net_core.objects import KINDS
from mu2net_core.repo import Remote, Repository, create_repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, evolve_sample
from mu2net_core.testing.building.scale import make_large_repository


def measure(options: Options) -> list[Row]:
    num_tasks, iterations = (2, 2) if options.small else (100, 10)
    shared = options.folder / "shared"
    with mock.patch("os.fsync"):
        make_large_repository(shared, num_tasks=num_tasks, num_iterations=iterations)
        return [
            _fetch_row(options, shared, num_tasks),
            _pull_row(options, shared, num_tasks),
            _fsck_row(options, shared, num_tasks),
        ]


def _fetch_row(options: Options, shared: Path, num_tasks: int) -> Row:
    copy = options.folder / "copy"

    def anew() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        create_repository(copy, preset="vit-ti0", identity=SAMPLE_IDENTITY)

    case = f"fetch, {num_tasks} tasks, all that arrives is judged"
    return _judged_row(options, case, anew, lambda: fetch(open_repository(copy), connect(_remote(shared))))


def _pull_row(options: Options, shared: Path, num_tasks: int) -> Row:
    known, copy, remote = options.folder / "known", options.folder / "copy", _remote(shared, partial=False)
    _pull(create_repository(known, preset="vit-ti0", identity=SAMPLE_IDENTITY), remote)
    there = open_repository(shared)
    for number, task in enumerate(there.refs.tasks()):
        evolve_sample(there, task, score=0.9, seed=1_000 + number)

    def anew() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(known, copy)

    case = f"pull of a change to each of {num_tasks} tasks, judged"
    return _judged_row(options, case, anew, lambda: _pull(open_repository(copy), remote))


def _judged_row(options: Options, case: str, anew: Callable[[], object], work: Callable[[], object]) -> Row:
    def judged() -> Spent:
        anew()
        return spent(work)

    def unjudged() -> Spent:
        anew()
        with _unjudged():
            return spent(work)

    return _row(options, case, "taken as it comes", "≤ 1.1×", judged, unjudged)


def _fsck_row(options: Options, shared: Path, num_tasks: int) -> Row:
    return _row(
        options,
        f"fsck, {num_tasks} tasks",
        "each object read, hashed, decoded",
        "-",
        lambda: spent(lambda: fsck(open_repository(shared))),
        lambda: spent(lambda: _read_all(open_repository(shared))),
    )


def _row(
    options: Options, case: str, floor: str, bar: str, work: Callable[[], Spent], least: Callable[[], Spent]
) -> Row:
    """Returns the processor time of both: waiting for a disk is none of it, nor are the other users of the machine."""
    found = interleave_spent({"ours": work, "floor": least}, options.pairs)
    ours, floors = ([one.cpu_s for one in found[name]] for name in ("ours", "floor"))
    return Row(
        case=case,
        floor=f"{floor}: {seconds(median(floors))}",
        ours=seconds(median(ours)),
        ratio=times(median(one / other for one, other in zip(ours, floors, strict=True))),
        bar=bar,
    )


def _pull(repo: Repository, remote: Remote) -> None:
    fetch(repo, connect(remote))
    tracking = read_tracking(repo.state, remote)
    adopt(repo, tracking, tracking.heads, Policy(), remote=remote)


@contextmanager
def _unjudged() -> Iterator[None]:
    """Takes everything over as it comes: manifests, components, the moves of heads, names that are taken."""
    room = "mu2net_core.repo.exchange"
    with (
        mock.patch(f"{room}.intake.check"),
        mock.patch(f"{room}.intake.check_parts"),
        mock.patch(f"{room}.fetching.check_forward", return_value=None),
        mock.patch(f"{room}.adopting.find_clashes", return_value={}),
    ):
        yield


def _read_all(repo: Repository) -> None:
    objects = repo.objects
    load = {"model": objects.model, "task": objects.task, "commit": objects.commit, "snapshot": objects.stored_snapshot}
    for kind in KINDS:
        for oid in objects.ids(kind):
            (objects.component if kind == "component" else load[kind])(oid)


def _remote(shared: Path, *, partial: bool = True) -> Remote:
    return Remote(name="origin", url=str(shared), partial=partial)
