"""``mu2net config``: what it says of settings, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def inside(empty_repo: Path, monkeypatch) -> None:
    monkeypatch.chdir(empty_repo)


def test_settings_that_begin_alike_are_listed_with_what_they_are(run) -> None:
    rows = run("config", "list", "evolve").rows()
    assert {row[0].partition(".")[0] for row in rows} == {"evolve"}
    assert ["evolve.method", "mu2net-plus"] in [row[:2] for row in rows]
    assert all(len(row) == 3 and row[2] for row in rows)
    assert [row[2] for row in run("config", "list", "--origin", "evolve.children").rows()] == ["default"]


def test_an_unknown_beginning_gets_the_nearest_section(run) -> None:
    result = run("config", "list", "evlove")
    assert (result.code, result.out) == (3, "")
    assert "Did you mean evolve?" in result.err


@pytest.mark.parametrize(
    ("key", "value", "code", "message"),
    [
        ("evolve.method", "randm", 2, "expected mu2net-plus or random or tpe, got 'randm'"),
        ("scorer.name", "foo", 2, "expected decay"),
        ("sign.key", "/nope", 3, "There is no key /nope"),
        ("pull.require_signed", "/nope", 3, "no file of allowed keys /nope"),
        ("space.num_layers", "[-1, 1, 2]", 2, "whole numbers, 0 or more"),
    ],
)
def test_a_wrong_value_is_refused_at_once_and_not_kept(run, key: str, value: str, code: int, message: str) -> None:
    before = run("config", "get", key).out
    result = run("config", "set", key, value)
    assert (result.code, message in result.err) == (code, True)
    assert run("config", "get", key).out == before


def test_what_a_file_says_that_is_no_setting_is_told(run, empty_repo: Path) -> None:
    config = empty_repo / ".mu2net" / "config.toml"
    config.write_text(config.read_text() + "\n[settings.evolve]\nchildrn = 3\n")
    result = run("config", "list", "evolve.")
    assert (
        f"warning: evolve.childrn in {config} is no setting and does nothing. Did you mean evolve.child" in result.err
    )
    assert ["evolve.childrn", "3", "no setting: it does nothing"] in result.rows()


def test_a_wrong_value_from_elsewhere_is_told_when_settings_are_listed(run, monkeypatch) -> None:
    monkeypatch.setenv("MU2NET_EVOLVE_METHOD", "randm")
    monkeypatch.setenv("MU2NET_MACHINE_PRECISION", "float16")
    monkeypatch.setenv("MU2NET_SIGN_KEY", "/nope")
    err = run("config", "list").err
    assert "got 'randm'. Set by the environment variable MU2NET_EVOLVE_METHOD" in err
    assert "machine.precision: expected one of auto, float32, bfloat16, got 'float16'" in err
    assert "sign.key: there is no file /nope. Set by the environment variable MU2NET_SIGN_KEY" in err
    monkeypatch.setenv("MU2NET_LIMITS_LAYERS", "many")
    assert "got 'many'. Set by the environment variable MU2NET_LIMITS_LAYERS" in run("config", "list").err


def test_a_number_below_zero_is_told_how_to_be_written(run) -> None:
    err = run("config", "set", "evolve.children", "-1").err
    assert "hint: For a number below 0, write -- before it: mu2net config set ... -- -1\n" in err
    assert "expected a positive number, got -1" in run("config", "set", "evolve.children", "--", "-1").err
