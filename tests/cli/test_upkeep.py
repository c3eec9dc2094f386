"""config, fsck, doctor."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def inside(empty_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


def test_a_setting_is_set_found_and_unset(run) -> None:
    assert run("config", "set", "evolve.children", "3").code == 0
    assert run("config", "get", "evolve.children").out == "3\n"
    assert run("config", "get", "evolve.children", "--json").json()["origin"] == "repository"
    assert "(default)" in run("config", "unset", "evolve.children").out


def test_the_origin_of_each_value_is_listed(run, monkeypatch) -> None:
    run("config", "set", "evolve.children", "3")
    monkeypatch.setenv("MU2NET_EVOLVE_GENERATIONS", "2")
    rows = {row[0]: row[1:3] for row in run("config", "list", "--origin").rows()}
    assert rows["evolve.children"] == ["3", "repository"]
    assert rows["evolve.generations"] == ["2", "environment"]
    assert rows["scorer.factor"] == ["1.0", "default"]
    assert rows["preset"] == ["vit-mini", "repository"]


def test_a_stronger_layer_that_hides_the_value_is_told(run, monkeypatch) -> None:
    monkeypatch.setenv("MU2NET_EVOLVE_CHILDREN", "9")
    result = run("config", "set", "evolve.children", "3")
    assert result.code == 0
    assert "environment says 9, which wins" in result.err


def test_where_a_root_starts_changes_no_root_there_is(run) -> None:
    assert "is for root models made from now on" in run("config", "set", "default.momentum", "0.5").err
    assert run("config", "set", "evolve.children", "3").err == ""


def test_a_variable_that_is_no_setting_is_told(run, monkeypatch) -> None:
    monkeypatch.setenv("MU2NET_EVOLVE_CHILDRN", "2")
    assert "warning: MU2NET_EVOLVE_CHILDRN is no setting" in run("config", "list").err
    assert "Did you mean MU2NET_EVOLVE_CHILDREN" in run("evolve", "--all").err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["get", "evolve.childs"], 3, "Did you mean evolve.children"),
        (["set", "evolve.childs", "3"], 3, "Did you mean evolve.children"),
        (["set", "evolve.children", "many"], 2, "evolve.children"),
        (["set", "evolve.children", "0"], 2, "evolve.children"),
        (["set", "scorer.factor", "1.5"], 2, "factor"),
        (["set", "space.mu", "[0.3, 0.1]"], 2, "mu"),
        (["set", "preset", "vit-ti0"], 2, "chosen once"),
        (["unset", "evolve.children"], 3, "evolve.children is not set"),
    ],
)
def test_what_cannot_be_set(run, args, code, message) -> None:
    result = run("config", *args)
    assert result.code == code
    assert message in result.err


def test_where_the_data_of_a_task_lies_here(run) -> None:
    run("add-task", "sklearn:digits")
    assert run("config", "set", "data.digits", "folder:/elsewhere").code == 0
    assert run("config", "get", "data.digits").out == "folder:/elsewhere\n"
    assert run("config", "unset", "data.digits").out == "data.digits is not set now\n"
    unknown = run("config", "set", "data.digit", "folder:/elsewhere")
    assert unknown.code == 3
    assert "Did you mean digits?" in unknown.err


def test_fsck_of_a_sound_repository(run) -> None:
    result = run("fsck")
    assert result.code == 0
    assert result.out.startswith("Clean: checked ")
    assert run("fsck", "--json").json()["problems"] == []


def test_fsck_finds_and_repairs_a_flipped_bit(run, inside: Path, tmp_path: Path) -> None:
    run("remote", "add", "origin", "../shared")
    run("add-task", "sklearn:digits")
    assert run("push").code == 0
    file = next((inside / ".mu2net" / "objects" / "component").glob("*/*.zarr.zip"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    damaged = run("fsck")
    assert damaged.code == 1
    assert "damaged-object: component/" in damaged.out
    repaired = run("fsck", "--repair-from", "origin")
    assert repaired.code == 0
    assert "repaired component/" in repaired.out
    assert run("fsck").code == 0


def test_doctor_reports_machine_and_repository(run) -> None:
    rows = {row[0]: row[1] for row in run("doctor").rows()}
    assert rows["devices"] == rows["repository"] == rows["storage"] == "ok"


def test_doctor_works_without_a_repository(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    checks = {check["name"]: check for check in run("doctor", "--json").json()["checks"]}
    assert checks["repository"]["outcome"] == "warning"
    assert "jax" in checks["libraries"]["detail"]


@pytest.mark.parametrize("variable", ["TFDS_DATA_DIR", "MU2NET_DATA_DIR"])
def test_missing_data_names_the_variable_that_decides(run, monkeypatch, tmp_path: Path, variable: str) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setenv(variable, str(tmp_path / "none"))
    assert f"data: Set {variable} to where they are." in run("doctor").err


def test_doctor_tells_of_a_key_that_is_gone(run) -> None:
    file = Path(".mu2net") / "config.toml"
    file.write_text(f'{file.read_text()}\n[settings]\nsign.key = "gone"\n')
    result = run("doctor")
    assert result.code == 1
    (row,) = [row for row in result.rows() if row[0] == "settings"]
    assert row[1] == "failed"
    assert row[2].startswith("sign.key: there is no file gone. Set by the repository's settings")
