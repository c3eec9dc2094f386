"""Two people and one shared system, as they would work: real processes of the command line, through a folder or S3."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.testing.building.compiling import QUICK
from mu2net_core.testing.servers.servers import Bucket

SMALL = ("--generations", "1", "--children", "1", "--validations", "1")


@dataclass(frozen=True)
class Person:
    """Somebody with a working copy and an environment of their own."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, *args: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs ``mu2net ARGS`` here, which must exit with ``code``."""
        done = subprocess.run(
            [sys.executable, "-m", "mu2net_cli.main", *map(str, args)],
            cwd=self.folder,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == code, f"{args} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *args: str) -> Any:
        """Returns the JSON that a command line prints."""
        return json.loads(self.run(*args, "--json").stdout)


@dataclass(frozen=True)
class Place:
    """Somewhere to share: its URL, how to reach it, and what the environment must hold for that."""

    url: str
    options: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Returns an environment without anybody's settings or credentials."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV") if name in os.environ}
    quick = {
        "JAX_PLATFORMS": "cpu",
        **QUICK,
        "MU2NET_CACHE_DIR": os.environ.get("JAX_COMPILATION_CACHE_DIR", str(home / "cache")),
    }
    no_machine_role = {"AWS_EC2_METADATA_DISABLED": "true"}
    root = Path(__file__).parents[1]
    return {**kept, **quick, **no_machine_role, "HOME": str(home), "PYTHONPATH": str(root)}


@pytest.fixture(scope="module")
def evolved(environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a repository with one task that was evolved once."""
    folder = tmp_path_factory.mktemp("product") / "ann"
    folder.mkdir()
    ann = Person(folder, environ)
    ann.run("init", "--preset", "vit-mini")
    ann.run("add-task", "sklearn:digits")
    ann.run("evolve", "--task", "digits", "--seed", "1", *SMALL)
    return folder


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Returns a place to share through: a folder, or a bucket of a real S3 server."""
    if request.param == "folder":
        return Place(str(tmp_path / "shared"))
    return bucket_place(request.getfixturevalue("s3_server").new_bucket())


def bucket_place(bucket: Bucket) -> Place:
    options = [word for name, value in bucket.options.items() for word in (f"--{name}", value)]
    return Place(bucket.url, options, bucket.environ)


@pytest.mark.timeout(600)
def test_two_people_grow_one_system(evolved: Path, environ: Mapping[str, str], place: Place, tmp_path: Path) -> None:
    ann = Person(Path(shutil.copytree(evolved, tmp_path / "ann")), {**environ, **place.environ})
    ann.run("remote", "add", "origin", place.url, *place.options)
    assert ann.json("remote", "list")[0]["verdict"] == "safe"
    assert [task["outcome"] for task in ann.json("push")["tasks"]] == ["new"]

    (tmp_path / "home").mkdir()
    Person(tmp_path / "home", ann.environ).run("clone", place.url, *place.options)
    ben = Person(tmp_path / "home" / place.url.rpartition("/")[2], ann.environ)
    assert (ben.folder / ".mu2net" / "config.toml").is_file()

    with ThreadPoolExecutor(2) as both:
        jobs = [
            both.submit(person.run, "evolve", "--task", "digits", "--seed", seed, *SMALL)
            for person, seed in ((ann, "11"), (ben, "12"))
        ]
        for job in jobs:
            job.result()
    assert [task["outcome"] for task in ben.json("push")["tasks"]] == ["updated"]
    assert [task["outcome"] for task in ann.json("push")["tasks"]] == ["merged"]
    ben.run("pull")
    assert [person.json("log", "digits", "-n", "1")["event"] for person in (ann, ben)] == ["merge", "merge"]

    ann.run("tag", "v1")
    ann.run("push")
    assert [tag["name"] for tag in ben.json("pull")["tags"]] == ["v1"]
    with ThreadPoolExecutor(2) as both:
        results = list(both.map(lambda person: person.json("eval", "digits"), (ann, ben)))
    assert (results[0]["model"], results[0]["correct"]) == (results[1]["model"], results[1]["correct"])
    assert results[0]["correct"] > 0
    for person in (ann, ben):
        assert person.json("fsck")["problems"] == []
    assert ann.json("fsck", "--remote", "origin")["problems"] == []
    assert ann.json("remote", "check")[0]["report"]["is_repository"]
    assert "up-to-date" in ann.run("push").stdout
