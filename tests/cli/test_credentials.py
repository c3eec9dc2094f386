"""What somebody is told whose credentials are missing or wrong; nobody's secret is ever shown or stored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mu2net_core.testing.servers.servers import Bucket, Server

SECRET = "c0rrectH0rseBatteryStaple0123456789abcdef"


@pytest.fixture(autouse=True)
def inside(trained_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Works in a repository that has something to push, as nobody in particular; no secret stays in it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(trained_repo)
    yield
    for file in trained_repo.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


@pytest.fixture
def bucket(s3_server: Server) -> Bucket:
    """Returns an empty bucket; nothing in the environment lets one in."""
    return s3_server.new_bucket()


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch):
    """Returns what puts credentials into the environment."""

    def entered(environ) -> None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

    return entered


def options_of(bucket: Bucket) -> list[str]:
    return [word for name, value in bucket.options.items() for word in (f"--{name}", value)]


def told(run, url: str, options: Sequence[str], *words: str) -> None:
    """Checks what each verb that needs the remote says: where, with whose credentials, and what to do."""
    assert run("remote", "add", "origin", url, *options, "--no-check").code == 0
    for verb in (["clone", url, "copy", *options], ["push"], ["fetch"], ["remote", "check", "origin"]):
        done = run(*verb)
        assert done.code == 5, (verb, done.err)
        assert SECRET not in done.out + done.err
        for word in (url, "hint: ", *words):
            assert word in done.err, (verb, done.err)
    assert not Path("copy").exists()
    assert run("remote", "remove", "origin").code == 0
    refused = run("remote", "add", "origin", url, *options)
    assert refused.code == 5
    assert "--no-check" in refused.err
    assert run("remote", "list", "--json").json() == []


def test_none(run, bucket: Bucket) -> None:
    told(run, bucket.url, options_of(bucket), "no usable credentials", "AWS_ACCESS_KEY_ID", "~/.aws/credentials")


def test_a_wrong_secret(run, bucket: Bucket, enter) -> None:
    enter({**bucket.environ, "AWS_SECRET_ACCESS_KEY": SECRET})
    words = "the environment's AWS_ACCESS_KEY_ID", "SignatureDoesNotMatch"
    told(run, bucket.url, options_of(bucket), *words)
    command = [sys.executable, "-m", "mu2net_cli.main", "clone", bucket.url, "copy", *options_of(bucket)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert all(word in done.stderr for word in words)
    assert SECRET not in done.stdout + done.stderr


def test_a_key_nobody_knows(run, bucket: Bucket, enter) -> None:
    enter({**bucket.environ, "AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": SECRET})
    told(run, bucket.url, options_of(bucket), "the environment's AWS_ACCESS_KEY_ID", "InvalidAccessKeyId")


def test_a_profile_that_is_not_there(run, bucket: Bucket) -> None:
    told(run, bucket.url, [*options_of(bucket), "--profile", "nobody"], "nobody")


def test_a_bucket_that_is_not_there(run, bucket: Bucket, enter) -> None:
    enter(bucket.environ)
    words = "there is no bucket", "Create the bucket, or correct the URL"
    told(run, "s3://no-such-bucket-here/system", options_of(bucket), *words)


def test_an_endpoint_that_does_not_answer(run, enter) -> None:
    enter({"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": SECRET})
    refused = run("remote", "add", "origin", "s3://bucket/system", "--endpoint", "http://127.0.0.1:9")
    assert refused.code == 5
    assert SECRET not in refused.out + refused.err
    for word in ("s3://bucket/system", "http://127.0.0.1:9", "this machine is online", "--no-check"):
        assert word in refused.err


@pytest.mark.parametrize(
    "args",
    [
        ["s3://AKIANOBODY:{}@bucket/system"], ["s3://bucket/system?X-Amz-Signature={}"],
        ["abfs://c@account.dfs.core.windows.net/system?sig={}"], ["s3://bucket/system", "--profile", "{}"],
        ["s3://bucket/system", "--endpoint", "https://ann:{}@host"],
    ],
)  # fmt: skip
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(run, args: list[str]) -> None:
    words = [word.format(SECRET) for word in args]
    for verb in (["remote", "add", "origin", *words], ["clone", words[0], "copy", *words[1:]]):
        done = run(*verb)
        assert done.code == 2
        assert "Not stored" in done.err
        assert "environment" in done.err
        assert SECRET not in done.out + done.err
