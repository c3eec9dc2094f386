"""The same commands with a bucket as the remote: seconds and requests, with and without 30 ms added to each request.

The server is a Ceph gateway on this machine, behind a proxy that counts and delays. The system is the smallest of the
scale case. Requests in turn would take their number times the latency: that is the floor of the delayed rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from case_scale import Program, Run, change
from case_startup import environment
from measure import Options, Row, seconds, times

from mu2net_core.testing.building.scale import make_large_repository
from mu2net_core.testing.servers.ceph import ceph
from mu2net_core.testing.servers.proxy import FaultProxy, Faults
from mu2net_core.testing.servers.servers import Bucket, MissingServerError, Server, moto

LATENCIES_S = (0.0, 0.03)


def measure(options: Options) -> list[Row]:
    serve: Callable[[], AbstractContextManager[Server]] = moto if options.small else ceph
    num_tasks, num_iterations = (2, 2) if options.small else (100, 10)
    shared = options.folder / "shared"
    make_large_repository(shared, num_tasks=num_tasks, num_iterations=num_iterations)
    size = f"{num_tasks} tasks, {num_tasks * num_iterations:,} models"
    try:
        with serve() as server:
            program = Program({**environment(options.folder), **server.environ}, inline=options.small)
            return [
                row
                for latency in (LATENCIES_S[:1] if options.small else LATENCIES_S)
                for row in measure_bucket(options.folder / str(latency), shared, server, program, latency, size)
            ]
    except MissingServerError as exc:
        return [Row(case=f"S3, {size}", floor="-", ours=f"not measured: {exc}", ratio="-", bar="-")]


def measure_bucket(
    folder: Path, shared: Path, server: Server, program: Program, latency_s: float, size: str
) -> list[Row]:
    """Sends a system to an empty bucket, clones it from there, and moves one change, through a proxy."""
    folder.mkdir()
    first, work, full = (folder / name for name in ("first", "work", "full"))
    program("clone", "--full", str(shared), str(first), folder=folder)
    rows: list[Row] = []
    with FaultProxy(server.endpoint, Faults(latency_s=latency_s)) as proxy:
        bucket = server.new_bucket()

        def measured(name: str, *args: str, cwd: Path) -> None:
            proxy.forget()
            run = program(*args, folder=cwd)
            rows.append(_row(f"{name}, S3, {size}", run, proxy, latency_s))

        program("remote", "add", "bucket", bucket.url, *_place(bucket, proxy), folder=first)
        measured("first push", "push", "bucket", cwd=first)
        measured("clone", "clone", bucket.url, str(work), *_place(bucket, proxy), cwd=folder)
        measured("clone --full", "clone", "--full", bucket.url, str(full), *_place(bucket, proxy), cwd=folder)
        task = change(work, 1)
        measured("push of one change, the first from here", "push", "origin", task, cwd=work)
        change(work, 2)
        measured("push of one change", "push", "origin", task, cwd=work)
        measured("pull of one change", "pull", "origin", task, cwd=full)
        measured("pull of nothing, all tasks", "pull", cwd=full)
    return rows


def _place(bucket: Bucket, proxy: FaultProxy) -> list[str]:
    return ["--endpoint", proxy.url, "--region", bucket.options["region"]]


def _row(case: str, run: Run, proxy: FaultProxy, latency_s: float) -> Row:
    counts = proxy.counts
    said = ", ".join(f"{number} {method}" for method, number in sorted(counts.items()))
    in_turn = counts.total() * latency_s
    delay = f", +{1e3 * latency_s:.0f} ms" if latency_s else ""
    return Row(
        case=case + delay,
        floor=f"requests in turn: {seconds(in_turn)}" if latency_s else "-",
        ours=f"{seconds(run.seconds)}, {run.megabytes:.0f} MB, {counts.total()} requests ({said})",
        ratio=times(run.seconds / in_turn) if in_turn else "-",
        bar="-",
    )
