"""What a machine takes of data is a setting of its own, and reaches every source."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def repository(empty_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


def pack(path: Path, mode: str) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for number in range(40):
            data = io.BytesIO()
            Image.new("RGB", (32, 32), (number, 7 * number, 0)).save(data, "png")
            member = tarfile.TarInfo(f"{'ab'[number % 2]}/{number}.png")
            member.size = data.tell()
            archive.addfile(member, io.BytesIO(data.getvalue()))


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "rows.csv.gz", "rows.jsonl.gz", "a.npz"])
def test_a_limit_that_is_set_reaches_what_is_read(run, monkeypatch, name: str) -> None:
    run("init", "auto")
    monkeypatch.chdir("auto")
    pack(Path("a.tar"), "w")
    pack(Path("a.tar.gz"), "w:gz")
    pack(Path("a.tar.xz"), "w:xz")
    Path("rows.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"1,u\n2,v\n" * 500))
    Path("rows.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1, "y": "u"}\n{"a": 2, "y": "v"}\n' * 100))
    np.savez("a.npz", x=np.zeros((40, 32, 32), np.uint8), y=np.arange(40) % 2)
    assert run("config", "set", "limits.examples_bytes", "3000").code == 0
    refused = run("add-task", name, "--preview")
    assert refused.code != 0
    assert "3000" in refused.err
    assert "limits.examples_bytes" in refused.err
    assert run("config", "set", "limits.examples_bytes", "300000").code == 0
    fits = run("add-task", name, "--preview")
    assert (fits.code, "3000" in fits.err) == (0, False)


def test_a_limit_of_the_number_of_files_reaches_archives(run, monkeypatch) -> None:
    pack(Path("a.tar"), "w")
    monkeypatch.setenv("MU2NET_LIMITS_NAMES", "39")
    assert "more than 39 files (limits.names)" in run("add-task", "a.tar").err


def test_a_limit_reaches_the_data_of_a_task_that_was_added(run) -> None:
    Path("rows.csv.gz").write_bytes(gzip.compress(b"a,y,z\n" + b"1,u,%b\n2,v,%b\n" % ((b"x" * 160,) * 2) * 500))
    run("init", "auto")
    assert run("-C", "auto", "add-task", str(Path("rows.csv.gz").resolve()), "--target", "y").code == 0
    assert run("-C", "auto", "config", "set", "limits.examples_bytes", "100000").code == 0
    ran = run("-C", "auto", "evolve", "--all", "--generations", "1", "--children", "1", "--validations", "1")
    assert ran.code != 0
    assert "more than 100000 bytes unpacked" in ran.err
