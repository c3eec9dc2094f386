"""remote add, set, check, list, and the options that clone shares with them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"


@pytest.fixture(autouse=True)
def inside(empty_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


def test_how_to_reach_it_is_kept_and_listed(run) -> None:
    options = ("--endpoint", "https://s3.example.org", "--region", "eu-1", "--profile", "team")
    assert run("remote", "add", "origin", "s3://bucket/system", *options, "--no-check").code == 0
    kept = "endpoint=https://s3.example.org profile=team region=eu-1"
    assert run("remote", "list").rows() == [["origin", "s3://bucket/system", "for everybody", "partial", "-", kept]]
    [listed] = run("remote", "list", "--json").json()
    assert listed["options"] == {"endpoint": "https://s3.example.org", "profile": "team", "region": "eu-1"}
    assert listed["verdict"] is None


def test_all_components_of_a_remote_can_be_wanted(run) -> None:
    assert run("remote", "add", "origin", "../shared", "--full", "--no-check", "--json").json()["partial"] is False
    assert run("remote", "list").rows()[0][3] == "full"


def test_it_can_be_changed(run) -> None:
    run("remote", "add", "origin", "s3://bucket/system", "--profile", "team", "--no-check")
    changed = run("remote", "set", "origin", "--readers", "a,b", "--anonymous", "--profile", "")
    assert changed.out == "Remote origin: s3://bucket/system (for a,b) anonymous=true\n"
    assert run("remote", "set", "origin", "--everybody").out.startswith("Remote origin: s3://bucket/system (for every")
    assert run("remote", "set", "hub", "--everybody").code == 3


def test_checking_one_prints_what_was_found(run, tmp_path: Path) -> None:
    run("remote", "add", "origin", "../shared")
    found = {row[0]: row[1] for row in run("remote", "check", "origin").rows()}
    assert found["url"] == str(tmp_path / "shared")
    assert found["credentials"] == "none needed"
    assert found["holds"] == "no repository yet"
    assert found["rights"] == "read, list, create, delete"
    assert found["clock"] == "as ours"
    assert found["verdict"] == "safe"
    [checked] = run("remote", "check", "--json").json()
    assert checked["report"]["num_races"] == 2
    assert not (tmp_path / "shared").exists()


def test_checking_all_goes_on_after_one_that_fails(run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    run("remote", "add", "good", "../shared")
    run("remote", "add", "bad", "../other")
    (tmp_path / "other").write_text("became a file")
    result = run("remote", "check")
    assert result.code == 5
    assert [row[1].partition(":")[0] for row in result.rows() if row[0] == "verdict"] == ["failed", "safe"]
    assert "error: bad: " in result.err


def test_checking_without_a_remote(run) -> None:
    assert run("remote", "check").code == 3
    assert "has no remote" in run("remote", "check").err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["s3://AKIAEXAMPLE:{}@bucket/x"], "Not stored"),
        (["s3://bucket/x?X-Amz-Signature={}"], "Not stored"),
        (["s3://bucket/x", "--profile", "{}"], "Not stored"),
        (["s3://bucket/x", "--account", "{}"], "Not stored"),
        (["s3://bucket/x", "--endpoint", "s3.example.org"], "Expected e.g. https://"),
        (["s3://bucket/x", "--account", "mine"], "it takes anonymous, endpoint"),
        (["shared", "--region", "eu"], "A folder takes no options"),
    ],
)
@pytest.mark.parametrize("verb", [["remote", "add", "origin"], ["clone"]])
def test_what_is_refused(run, inside: Path, verb: list[str], args: list[str], message: str) -> None:
    result = run(*verb, *(word.format(SECRET) for word in args))
    assert result.code == 2
    assert message in result.err
    assert SECRET not in result.out + result.err
    assert SECRET not in (inside / ".mu2net" / "config.toml").read_text()


def test_who_a_clone_is_meant_for_is_told(run, tmp_path: Path) -> None:
    run("remote", "add", "team", "../team", "--readers", "team-a")
    assert run("push").code == 0
    (hint,) = re.findall("only team-a can read it. If that is so: mu2net (.*)", run("clone", "../team", "../one").err)
    assert run(*shlex.split(hint)).code == 0  # as it is printed, from where the clone was made
    assert run("-C", "../one", "remote").rows()[0][2] == "for team-a"
    assert "only team-a" not in run("clone", "../team", "../two", "--readers", "team-a").err
