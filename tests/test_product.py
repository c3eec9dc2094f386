"""Two people and one shared system, as they would work: real processes of the command line, through a folder or S3."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.testing.building.compiling import QUICK
from mu2net_core.testing.servers.servers import Bucket, Server

SMALL = ("--generations", "1", "--children", "1", "--validations", "1")
SECRET = "c0rrectH0rseBatteryStaple0123456789abcdef"


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
    quick = {"JAX_PLATFORMS": "cpu", **QUICK, "MU2NET_CACHE_DIR": str(home / "cache")}
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


class TestCredentials:
    """What somebody is told whose credentials are missing or wrong; nobody's secret is ever shown or stored."""

    @pytest.fixture
    def ann(self, environ: Mapping[str, str], evolved: Path, tmp_path: Path) -> Person:
        return Person(Path(shutil.copytree(evolved, tmp_path / "ann")), environ)

    @pytest.fixture
    def bucket(self, s3_server: Server) -> Place:
        return bucket_place(s3_server.new_bucket())

    @pytest.fixture(autouse=True)
    def nothing_leaks(self, ann: Person) -> Iterator[None]:
        yield
        for file in ann.folder.rglob("*"):
            assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file

    @staticmethod
    def told(ann: Person, place: Place, *words: str) -> None:
        """Checks what each verb that needs the remote says: where, with whose credentials, and what to do."""
        ann.run("remote", "add", "origin", place.url, *place.options, "--no-check")
        clone = ["clone", place.url, "copy", *place.options]
        for verb in (clone, ["push"], ["fetch"], ["remote", "check", "origin"]):
            done = ann.run(*verb, code=5)
            assert SECRET not in done.stdout + done.stderr
            for word in (place.url, "hint: ", *words):
                assert word in done.stderr, (verb, done.stderr)
        assert not (ann.folder / "copy").exists()
        ann.run("remote", "remove", "origin")
        refused = ann.run("remote", "add", "origin", place.url, *place.options, code=5)
        assert "--no-check" in refused.stderr
        assert ann.json("remote", "list") == []

    def test_none(self, ann: Person, bucket: Place) -> None:
        self.told(ann, bucket, "no usable credentials", "AWS_ACCESS_KEY_ID", "~/.aws/credentials")

    def test_a_wrong_secret(self, ann: Person, bucket: Place) -> None:
        wrong = {**ann.environ, **bucket.environ, "AWS_SECRET_ACCESS_KEY": SECRET}
        self.told(Person(ann.folder, wrong), bucket, "the environment's AWS_ACCESS_KEY_ID", "SignatureDoesNotMatch")

    def test_a_key_nobody_knows(self, ann: Person, bucket: Place) -> None:
        wrong = {**ann.environ, **bucket.environ, "AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": SECRET}
        self.told(Person(ann.folder, wrong), bucket, "the environment's AWS_ACCESS_KEY_ID", "InvalidAccessKeyId")

    def test_a_profile_that_is_not_there(self, ann: Person, bucket: Place) -> None:
        place = Place(bucket.url, [*bucket.options, "--profile", "nobody"])
        self.told(ann, place, "nobody")

    def test_a_bucket_that_is_not_there(self, ann: Person, bucket: Place) -> None:
        place = Place("s3://no-such-bucket-here/system", bucket.options)
        self.told(
            Person(ann.folder, {**ann.environ, **bucket.environ}),
            place,
            "there is no bucket",
            "Create the bucket, or correct the URL",
        )

    def test_an_endpoint_that_does_not_answer(self, ann: Person) -> None:
        secrets = {"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": SECRET}
        offline, where = Person(ann.folder, {**ann.environ, **secrets}), ("--endpoint", "http://127.0.0.1:9")
        refused = offline.run("remote", "add", "origin", "s3://bucket/system", *where, code=5)
        assert SECRET not in refused.stdout + refused.stderr
        for word in ("s3://bucket/system", "http://127.0.0.1:9", "this machine is online", "--no-check"):
            assert word in refused.stderr

    @pytest.mark.parametrize(
        "args",
        [
            ["s3://AKIANOBODY:{}@bucket/system"], ["s3://bucket/system?X-Amz-Signature={}"],
            ["abfs://c@account.dfs.core.windows.net/system?sig={}"], ["s3://bucket/system", "--profile", "{}"],
            ["s3://bucket/system", "--endpoint", "https://ann:{}@host"],
        ],
    )  # fmt: skip
    def test_a_secret_on_the_command_line_is_refused_and_not_repeated(self, ann: Person, args: list[str]) -> None:
        words = [word.format(SECRET) for word in args]
        for verb in (["remote", "add", "origin", *words], ["clone", words[0], "copy", *words[1:]]):
            done = ann.run(*verb, code=2)
            assert "Not stored" in done.stderr
            assert "environment" in done.stderr
            assert SECRET not in done.stdout + done.stderr
