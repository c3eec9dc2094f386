"""add-root, and init with a root that is not random."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.storage import downloading as download
from mu2net_core.testing.building.checkpoints import public_arrays, write_checkpoint


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "mini.npz", public_arrays(blocks=2))


def test_a_repository_begins_with_a_checkpoint(run, mini: Path) -> None:
    result = run("init", "chars", "--preset", "vit-mini", "--root", "mini.npz")
    assert result.code == 0
    assert " of mini.npz: 5 components" in result.out
    assert "Took the first 1 of 2 blocks" in result.err
    shown = run("-C", "chars", "show", "default")
    assert "made from:       mini.npz (BLAKE3 " in shown.out
    assert "seed" not in shown.out


def test_roots_are_added_and_listed(run, empty_repo: Path, mini: Path) -> None:
    here = ["-C", str(empty_repo)]
    assert "Roots:" not in run(*here, "status").out
    added = run(*here, "add-root", "pretrained", "--root", str(mini))
    assert added.code == 0
    assert added.out.startswith("Added root pretrained ")
    assert " of mini.npz: 5 components, " in added.out
    assert "Took the first 1 of 2 blocks" in added.err
    result = run(*here, "add-root", "other", "--seed", "7", "--json").json()
    assert (result["name"], result["origin"], result["remarks"]) == ("other", None, [])
    (line,) = [line for line in run(*here, "status").out.splitlines() if line.startswith("Roots:")]
    for name in ("default", "pretrained", f"other {result['root_id'][:10]}"):
        assert name in line


def test_what_cannot_be_added(run, empty_repo: Path, mini: Path) -> None:
    here = ["-C", str(empty_repo), "add-root"]
    for args, code, message in (
        (["default"], 4, "There is a root default already"),
        (["again"], 4, "The root default is this very model"),
        (["x", "--root", "elsewhere.npz"], 3, "there is no file"),
        (["x", "--root", str(write_checkpoint(mini, public_arrays(patch=4)))], 2, "patch size 4 instead of 2"),
    ):
        result = run(*here, *args)
        assert result.code == code
        assert message in result.err
        assert "hint: " in result.err


def test_offline_it_says_which_file_belongs_where(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(url: str) -> None:
        raise ConnectionError(f"Cannot connect to {url}")

    source = download._Source(pieces=lambda: unreachable("the host"), failure=download._any_failure)
    monkeypatch.setattr(download, "_source", lambda url: source)
    monkeypatch.setenv("MU2NET_CACHE_DIR", str(tmp_path / "cache"))
    result = run("init", "chars", "--preset", "vit-ti3", "--root", "augreg:Ti_16")
    assert result.code == 5
    url = (
        "https://storage.googleapis.com/vit_models/augreg/Ti_16-i21k-300ep-lr_0.001-aug_none-wd_0.03-do_0.0-sd_0.0.npz"
    )
    assert f"augreg:Ti_16 is {url}" in result.err
    assert f"put it at {tmp_path}/cache/checkpoints/" in result.err
    assert not (tmp_path / "chars").exists()
