"""What the shell offers at TAB, asked as bash asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Offer = Callable[[str], list[str]]


@pytest.fixture
def offered(run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    monkeypatch.chdir(trained_repo)

    def offered_after(line: str) -> list[str]:
        words = line.split(" ")
        with monkeypatch.context() as patch:
            patch.setenv("_MU2NET_COMPLETE", "complete_bash")
            patch.setenv("COMP_WORDS", " ".join(words).strip())
            patch.setenv("COMP_CWORD", str(len(words) - 1))
            result = run()
        assert result.err == ""
        return result.out.split()

    return offered_after


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mu2net ev", ["evolve", "eval"]),
        ("mu2net help rep", ["replay"]),
        ("mu2net help remote ad", ["add"]),
        ("mu2net config set evolve.ch", ["evolve.children"]),
        ("mu2net config get limits.ref", ["limits.ref_bytes", "limits.refs"]),
        ("mu2net config list scorer.f", ["scorer.factor", "scorer.flops_scale"]),
        ("mu2net config set data.", ["data.digits", "data.digits/parity"]),
        ("mu2net config set architecture.", []),
        ("mu2net config set evolve.method ", ["mu2net-plus", "random", "tpe"]),
        ("mu2net config set machine.precision b", ["bfloat16"]),
        ("mu2net eval digits --split ", ["test", "train", "validation"]),
        ("mu2net eval --split v", ["validation"]),
        ("mu2net show digits@", ["digits@{0}", "digits@{1}"]),
        ("mu2net reset digits @", ["@{0}", "@{1}"]),
        ("mu2net eval dig", ["digits", "digits/parity"]),
        ("mu2net evolve --task digits/", ["digits/parity"]),
        ("mu2net init --preset vit-t", ["vit-ti0", "vit-ti3"]),
        ("mu2net init --root r", ["random"]),
        ("mu2net status -q --no-c", []),
    ],
)
def test_what_is_offered(offered: Offer, line: str, expected: list[str]) -> None:
    assert sorted(offered(line)) == sorted(expected)


def test_a_removed_task_is_offered_only_where_it_makes_sense(offered: Offer, run) -> None:
    run("rm-task", "digits", "--yes")
    for line in ("predict d", "eval d", "push d", "evolve --task d", "ancestry d"):
        assert offered(f"mu2net {line}") == ["digits/parity"]
    for line in ("reset d", "log d", "reflog d"):
        assert offered(f"mu2net {line}") == ["digits", "digits/parity"]


def test_tags_and_remotes_are_offered(offered: Offer, run, tmp_path: Path) -> None:
    run("tag", "v1")
    run("remote", "add", "origin", str(tmp_path / "shared"))
    assert offered("mu2net leaderboard --at v") == ["v1"]
    assert offered("mu2net show v") == ["v1"]
    assert offered("mu2net push o") == offered("mu2net fsck --remote o") == ["origin"]
    assert offered("mu2net remote remove ") == ["origin"]


def test_the_folder_named_on_the_line_is_the_one_that_is_asked(offered: Offer, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered("mu2net eval dig") == []
    assert offered("mu2net -C repo eval dig") == ["digits", "digits/parity"]
    assert offered("mu2net eval -C repo dig") == ["digits", "digits/parity"]


def test_what_is_named_already_is_not_offered_again(offered: Offer, run, tmp_path: Path) -> None:
    run("remote", "add", "origin", str(tmp_path / "shared"))
    assert offered("mu2net push origin ") == ["digits", "digits/parity"]
    assert offered("mu2net push origin digits ") == ["digits/parity"]


def test_only_what_is_set_can_be_unset(offered: Offer, run) -> None:
    assert offered("mu2net config unset ") == []
    run("config", "set", "evolve.children", "3")
    assert offered("mu2net config unset ") == ["evolve.children"]
