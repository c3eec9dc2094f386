"""A secret on a command line is printed by no verb, and is nowhere on the disk afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mu2net_core.testing.attacks.secrets import AWS_SECRET, SECRET, SECRET_URLS

VERBS = [
    "remote add origin {}", "remote add {}", "remote add {} shared", "remote add origin shared --endpoint {}",
    "remote add origin s3://bucket/x --endpoint {}", "remote add origin s3://bucket/x --region {}",
    "remote add origin s3://bucket/x --profile {}", "remote add origin shared --readers {}",
    "remote set origin --account {}",
    "remote set {} --everybody", "remote remove {}", "remote check {}", "clone {}", "clone {} copy", "clone shared {}",
    "fsck --repair-from {}", "fsck --remote {}", "push {}", "pull {}", "fetch {}", "merge {}", "gc --remote {}",
    "init {}", "init new --root {}", "init new --preset {}", "add-root {}", "add-root {} --name x", "add-task {}",
    "add-task folder:{}", "add-task npz:{} --name x", "add-task sklearn:{}", "add-task sklearn:digits --name {}",
    "add-task sklearn:digits --train {}", "add-task sklearn:digits --readers {}", "config set data.x {}",
    "config set cache.max_size {}", "config set sign.key {}", "config set {} 1", "config get {}", "config list {}",
    "show {}", "log {}", "eval {}", "replay {}", "predict {} image.png", "reset {} {}", "tag {}", "ancestry {}",
    "verify {}",
    "rm-task {}", "evolve -t {}", "{}", "-C {} status", "evolve --seed {}", "help {}", "status {}", "remote {}",
    "reflog {}",
]  # fmt: skip


@pytest.fixture(autouse=True)
def inside(empty_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", [[], ["--json"]], ids=["plain", "json"])
def test_no_verb_prints_or_keeps_a_secret(run, verb: str, flag: list[str], tmp_path: Path) -> None:
    for url in SECRET_URLS[::3]:
        words = [word.format(url) for word in verb.split()]
        result = run(*words, *flag)
        assert_hidden(f"{words}: ", result.out + result.err)
    assert_hidden("the disk: ", everything_below(tmp_path))


def test_a_traceback_does_not_print_it_either(tmp_path: Path) -> None:
    for words in (["show", f"s3://KEY:a/{SECRET}@bucket"], ["clone", f"s3:/KEY:{SECRET}@bucket"]):
        command = [sys.executable, "-m", "mu2net_cli.main", "--debug", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Traceback" in done.stderr
        assert done.returncode == 1
        assert_hidden(f"{words}: ", done.stdout + done.stderr)


@pytest.mark.parametrize("variable", ["MU2NET_CACHE_DIR", "MU2NET_DATA_DIR", "TFDS_DATA_DIR"])
@pytest.mark.parametrize("url", [f"s3://KEY:{SECRET}@bucket/x", f"gs://bucket/x?token={SECRET}"])
def test_a_url_in_the_environment_is_not_repeated_with_its_secret(run, monkeypatch, variable: str, url: str) -> None:
    monkeypatch.setenv(variable, url)
    for verb in (["doctor"], ["doctor", "--json"], ["add-task", "tfds:mnist"], ["add-task", "tfds:mnist", "--json"]):
        result = run(*verb)
        assert_hidden(f"{verb}: ", result.out + result.err)


@pytest.mark.parametrize("source", ["environment", "user"])
def test_settings_that_hold_a_secret_are_listed_without_it(run, monkeypatch, source: str, tmp_path: Path) -> None:
    if source == "environment":
        monkeypatch.setenv("MU2NET_EVOLVE_CHILDREN", f"s3://KEY:{SECRET}@bucket")
        monkeypatch.setenv("MU2NET_SPACE_NUM_LAYERS", f"[1, 's3://KEY:{SECRET}@bucket']")
    else:
        config = tmp_path / "no-settings" / "mu2net" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f"[settings]\nevolve.children = 's3://KEY:{SECRET}@bucket'\nsign.key = 'x?token={SECRET}'\n")
    for verb in (["config", "list"], ["config", "get", "evolve.children"], ["config", "get", "sign.key"], ["status"]):
        for flag in ([], ["--json"]):
            result = run(*verb, *flag)
            assert_hidden(f"{verb}: ", result.out + result.err)


def test_a_traceback_obeys_nothing_that_others_wrote(empty_repo: Path) -> None:
    (empty_repo / ".mu2net" / "refs" / "\x1b]0;mine\x07\u202e\r").write_text("x")
    command = [sys.executable, "-m", "mu2net_cli.main", "--debug", "gc"]
    done = subprocess.run(command, capture_output=True, check=False)
    shown = done.stderr.decode()
    assert "Traceback" in shown
    assert r"refs/\x1b]0;mine\x07\u202e\r in" in shown
    assert all(char.isprintable() for line in shown.split("\n") for char in line)


def everything_below(folder: Path) -> str:
    texts = [str(path) for path in folder.rglob("*")]
    texts += [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    return "\n".join(texts)


def assert_hidden(what: str, text: str) -> None:
    for part in (SECRET, AWS_SECRET, "AKIA", AWS_SECRET.partition("/")[0], AWS_SECRET.rpartition("/")[2]):
        assert part not in text, what + text[max(0, text.index(part) - 300) :][:900]
