"""init."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

from mu2net_cli.main import app
from mu2net_cli.parsing.completion import complete_preset
from mu2net_core.api.models.checkpoints import CHECKPOINTS
from mu2net_core.presets import PRESETS


def test_a_new_repository_has_a_root(run, tmp_path: Path) -> None:
    result = run("init", "chars", "--preset", "vit-mini")
    assert result.code == 0
    assert f"Initialised an empty mu2net repository in {tmp_path / 'chars' / '.mu2net'} (preset vit-mini" in result.out
    (command,) = [line.removeprefix("Next: ") for line in result.err.splitlines() if line.startswith("Next: ")]
    assert run(*shlex.split(command, comments=True)[1:]).code == 0
    status = run("-C", "chars", "status", "--json").json()
    assert (status["preset"], list(status["roots"])) == ("vit-mini", ["default"])


def test_by_default_a_new_repository_has_no_preset_or_root_until_a_task_brings_them(run) -> None:
    result = run("init", "chars")
    assert (result.code, "(preset auto: each task brings what it needs)" in result.out) == (0, True)
    assert run("-C", "chars", "status", "--json").json()["roots"] == {}
    first, chosen, root, *_ = run("-C", "chars", "add-task", "sklearn:digits").out.splitlines()
    assert first.startswith("Added task digits")
    assert chosen == "Preset convnet-8, a typical image has 8 x 8 pixels: a ConvNet for tiny images of 8x8."
    assert root.startswith("It begins with a new root, convnet-8-")
    *_, again = run("-C", "chars", "add-task", "sklearn:digits/parity").out.splitlines()
    assert again.startswith("It begins with the root, and with layers of other tasks")
    assert run("-C", "chars", "tasks", "--json").json()[0]["name"] == "digits"


def test_the_current_folder_is_the_default(run, tmp_path: Path) -> None:
    assert run("-q", "init", "--preset", "vit-mini").out == ""
    assert (tmp_path / ".mu2net" / "config.toml").is_file()


def test_the_seed_decides_the_root(run) -> None:
    roots = [
        run("init", name, "--preset", "vit-mini", "--seed", seed, "--json").json()["root_id"]
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
    ]
    assert roots[0] == roots[1] != roots[2]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--preset", "vit-giant"], 3, "No preset 'vit-giant'"),
        (["--preset", "vit-ti0", "--root", "elsewhere.npz"], 3, "Expected 'random'"),
        (["--seed", "many"], 2, "--seed"),
    ],
)
def test_what_cannot_be_made(run, tmp_path: Path, options, code, message) -> None:
    result = run("init", "chars", *options)
    assert result.code == code
    assert message in result.err
    assert not (tmp_path / "chars" / ".mu2net").exists()


def test_presets_of_the_users_own(run, tmp_path: Path) -> None:
    settings = tmp_path / "no-settings" / "mu2net" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[presets.mine]\nbase = "vit-mini"\narchitecture = { width = 12, heads = 3, mlp = 24 }\n')
    result = run("init", "chars", "--preset", "vit-huge")
    assert (result.code, "mine, " in result.err) == (3, True)
    assert "(preset mine" in run("init", "chars", "--preset", "mine").out
    listed = {row[0]: row for row in run("-C", "chars", "config", "list", "--origin").rows()}
    assert "12" in listed["architecture.width"]
    result = run("-C", "chars", "config", "set", "architecture.width", "24")
    assert (result.code, "chosen once" in result.err) == (2, True)


def test_the_help_names_presets_and_roots(run) -> None:
    text = " ".join(run("init", "--help").out.split())
    assert [name for name in PRESETS if name not in text] == []
    assert [name for name in CHECKPOINTS if name.removeprefix("augreg:") not in text] == []


def test_presets_are_completed(tmp_path: Path) -> None:
    settings = tmp_path / "no-settings" / "mu2net" / "config.toml"
    settings.parent.mkdir(parents=True)
    ctx = typer.Context(typer.main.get_command(app), info_name="mu2net")
    ctx.params = {}
    settings.write_text('[presets.vit-own]\nbase = "vit-mini"\n')
    assert complete_preset(ctx, "vit-") == ["vit-b", "vit-l", "vit-mini", "vit-own", "vit-ti0", "vit-ti3"]
    settings.write_text("presets = 3")
    assert complete_preset(ctx, "vit-") == []


def test_a_repository_is_there_already(run, empty_repo: Path) -> None:
    result = run("init", str(empty_repo), "--preset", "vit-mini")
    assert result.code == 4
    assert "There is a repository" in result.err


def test_a_repository_of_a_future_format(run, empty_repo: Path) -> None:
    config = empty_repo / ".mu2net" / "config.toml"
    config.write_text(config.read_text().replace("format = 1", "format = 99"))
    for args in (["status"], ["log"], ["fsck"]):
        result = run("-C", str(empty_repo), *args)
        assert result.code == 2
        assert "format 99" in result.err
        assert "pip install -U mu2net" in result.err
