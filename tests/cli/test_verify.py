"""verify, and what --require-signed lets in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def signed(empty_repo: Path, tmp_path: Path, monkeypatch, run) -> Path:
    """Returns a repository with a signed task, shared in ``shared``; the file ``allowed`` allows its key."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen")
    key = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    (tmp_path / "allowed").write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    monkeypatch.chdir(empty_repo)
    assert run("config", "set", "sign.key", str(key)).code == 0
    assert run("config", "set", "evolve.children", "2").code == 0
    assert run("add-task", "sklearn:digits").code == 0
    assert run("remote", "add", "origin", str(tmp_path / "shared")).code == 0
    assert run("push").code == 0
    return empty_repo


def test_who_signed_is_shown(run, signed: Path, tmp_path: Path) -> None:
    rows = run("verify", "digits", "--keys", str(tmp_path / "allowed")).rows()
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [("commit", "digits", "signed", "ann@example.org")]
    report = run("verify", "--all", "--json").json()
    assert (report["is_good"], report["keys"], report["items"][0]["state"]) == (True, None, "signed")
    assert report["items"][0]["key"].startswith("SHA256:")


def test_what_is_not_signed_ends_with_1(run, signed: Path, tmp_path: Path) -> None:
    run("config", "set", "sign.key", "")
    run("rm-task", "digits", "--yes")
    outcome = run("verify", "--keys", str(tmp_path / "allowed"))
    assert (outcome.code, [row[3] for row in outcome.rows()]) == (1, ["unsigned", "signed"])
    assert "1 not signed as they should be" in outcome.err
    assert run("verify", "digits", "--all").code == 2


def test_only_what_is_signed_is_cloned_and_pulled(run, signed: Path, tmp_path: Path) -> None:
    clone = tmp_path / "copy"
    assert run("clone", str(tmp_path / "shared"), str(clone), "--require-signed", str(tmp_path / "allowed")).code == 0
    run("config", "unset", "sign.key")
    run("rm-task", "digits", "--yes")
    run("push")
    refused = run("-C", str(clone), "pull")
    assert refused.code == 5
    assert "refused     digits: commit" in refused.out
    assert "is not signed" in refused.out
    assert "1 ref refused" in refused.err
    assert [row[0] for row in run("-C", str(clone), "tasks").rows()] == ["digits"]


def test_the_key_is_named_by_a_setting_that_stays_here(run, signed: Path, tmp_path: Path) -> None:
    settings = {row[0]: row[1:3] for row in run("config", "list", "--origin").rows()}
    assert settings["sign.key"] == [str(tmp_path / "id"), "repository"]
    assert settings["pull.require_signed"] == ["", "default"]
    assert "sign" not in (tmp_path / "shared" / "config.toml").read_text()


def test_a_tag_that_nobody_allowed_signed_is_not_fetched(run, signed: Path, tmp_path: Path) -> None:
    run("config", "set", "sign.key", "")
    run("tag", "v1")
    assert run("push").code == 0
    run("tag", "v1", "--delete")
    refused = run("fetch", "--require-signed", str(tmp_path / "allowed"))
    assert refused.code == 5
    assert " ! refused     tag v1" in refused.out
    assert run("fetch").code == 0
    assert [row[0] for row in run("tag").rows()] == ["v1"]
