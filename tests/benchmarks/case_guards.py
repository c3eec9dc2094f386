"""What it costs to trust nobody: a fetch that judges all that arrives beside one that does not, and a whole check
beside reading, hashing and decoding each object once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from measure import Options, Row, interleave, seconds, times

from mu2net_core.objects import KINDS
from mu2net_core.repo import Remote, Repository, create_repository, open_repository
from mu2net_core.repo.fetching import fetch
from mu2net_core.repo.fsck import fsck
from mu2net_core.repo.remotes import connect
from mu2net_core.testing.samples import SAMPLE_IDENTITY
from mu2net_core.testing.scale import make_large_repository


def measure(options: Options) -> list[Row]:
    num_tasks, iterations = (2, 2) if options.small else (100, 10)
    shared = options.folder / "shared"
    with mock.patch("os.fsync"):
        make_large_repository(shared, num_tasks=num_tasks, num_iterations=iterations)
        return [_fetch_row(options, shared, num_tasks), _fsck_row(options, shared, num_tasks)]


def _fetch_row(options: Options, shared: Path, num_tasks: int) -> Row:
    copy = options.folder / "copy"

    def fetched() -> None:
        fetch(open_repository(copy), connect(_remote(shared)))

    def unjudged() -> None:
        with _unjudged():
            fetched()

    def anew() -> Repository:
        shutil.rmtree(copy, ignore_errors=True)
        return create_repository(copy, preset="vit-ti0", identity=SAMPLE_IDENTITY)

    timings = interleave({"ours": fetched, "floor": unjudged}, options.pairs, before={"ours": anew, "floor": anew})
    return Row(
        case=f"fetch, {num_tasks} tasks, all that arrives is judged",
        floor=f"taken as it comes: {seconds(timings.median('floor'))}",
        ours=seconds(timings.median("ours")),
        ratio=times(timings.ratio("ours", "floor")),
        bar="≤ 1.1×",
    )


def _fsck_row(options: Options, shared: Path, num_tasks: int) -> Row:
    runs = {"ours": lambda: fsck(open_repository(shared)), "floor": lambda: _read_all(open_repository(shared))}
    timings = interleave(runs, options.pairs)
    return Row(
        case=f"fsck, {num_tasks} tasks",
        floor=f"each object read, hashed, decoded: {seconds(timings.median('floor'))}",
        ours=seconds(timings.median("ours")),
        ratio=times(timings.ratio("ours", "floor")),
        bar="-",
    )


@contextmanager
def _unjudged() -> Iterator[None]:
    """Takes everything over as it comes."""
    with mock.patch("mu2net_core.repo.intake.check"), mock.patch("mu2net_core.repo.intake.check_parts"):
        yield


def _read_all(repo: Repository) -> None:
    objects = repo.objects
    load = {"model": objects.model, "task": objects.task, "commit": objects.commit, "snapshot": objects.stored_snapshot}
    for kind in KINDS:
        for oid in objects.ids(kind):
            (objects.component if kind == "component" else load[kind])(oid)


def _remote(shared: Path) -> Remote:
    return Remote(name="origin", url=str(shared), partial=True)
