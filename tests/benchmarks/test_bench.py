"""Every benchmark runs, on the smallest scale; what it measures then means nothing and is not looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mu2net_core.testing.building.compiling import QUICK

BENCH = Path(__file__).with_name("bench.py")
ROWS = {
    "startup": ("mu2net --help", "mu2net log", "mu2net status", "mu2net tasks"),
    "components": ("save ViT-B", "verified load of ViT-B", "files of ViT-B"),
    "pull": ("pull one task",),
    "push": ("requests of a push, k = 1", "requests of a push, k = 3"),
    "guards": ("fetch, 2 tasks", "pull of a change to each of 2 tasks", "fsck, 2 tasks"),
    "scale": ("clone, 4 tasks", "log, 4 tasks", "fsck, 4 tasks", "requests of a push, k = 1, 4 tasks"),
    "s3": ("first push, S3, 2 tasks", "clone, S3, 2 tasks"),
    "stream": ("stream, 300 images, peak", "stream, 300 images, time", "evolve, one child of one cycle, 300 images"),
    "rows": ("csv, 0.00 GB, 400 rows: memory", "parquet, 0.00 GB, 400 rows: described"),
    "evolve": ("evolve digits", "programs of evolve digits"),
    "frozen": ("step with the lower half", "step with an empty adapter"),
    "layouts": ("four children, vit-mini, together",),
    "agents": ("2 agents on 2 cores", "8 agents, 2 measured iterations each, replayed"),
    "pool": ("an idle agent: requests in 60 s, 2 tasks",),
    "fleet": ("a pool of 2 on 2 cores, 1 tasks",),
    "busy": ("device busy, an iteration of digits",),
    "parallel": ("mean test accuracy after 1, 1 tasks", "8 agents in step, all iterations, replayed"),
    "quality": ("test accuracy, digits",),
    "late": ("late task, digits",),
    "system": ("one system, digits", "one system, mean"),
    "few": ("few examples, squares",),
    "methods": ("tpe on digits",),
    "chaos": ("chaos, 8 agents",),
    "large": ("time per step of evolve", "memory of evolve"),
}


def run(*args: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **QUICK}
    return subprocess.run([sys.executable, str(BENCH), *args], capture_output=True, text=True, check=False, env=environ)


GROUPS = (  # libraries are imported once in each
    ("startup", "components", "pull", "push", "guards", "scale", "s3", "pool", "chaos"),
    ("stream", "rows", "evolve", "quality", "late", "system", "few", "fleet", "busy", "parallel", "methods"),
    ("frozen", "layouts", "agents", "large"),
)


def test_no_case_is_forgotten() -> None:
    assert sorted(case for group in GROUPS for case in group) == sorted(ROWS)


@pytest.mark.parametrize("cases", GROUPS, ids="-".join)
def test_every_case_runs_and_has_its_rows_in_one_table(tmp_path: Path, cases: tuple[str, ...]) -> None:
    result = run("--small", "--dir", str(tmp_path), *cases)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")] == ["", "case", "floor", "ours", "ratio", "bar", ""]
    assert len({line.count("|") for line in lines}) == 1
    for case in cases:
        for start in ROWS[case]:
            assert any(line.startswith(f"| {start}") for line in lines), (case, start)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_case_is_refused() -> None:
    result = run("startpu")
    assert result.returncode == 2
    assert "unknown case startpu" in result.stderr
