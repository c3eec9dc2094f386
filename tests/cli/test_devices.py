"""What every verb that computes says where JAX cannot."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import mu2net_core as m
from mu2net_core.api.machine import devices
from mu2net_core.errors import DeviceError

_ANSWERS = [
    AssertionError(),  # JAX_PLATFORMS=cuda without its plugin
    RuntimeError("Unable to initialize backend 'tpu': no libtpu.so (set JAX_PLATFORMS='')\nmore"),
    OSError("libcudart.so.12: cannot open shared object file"),
    ValueError("no such platform"),
]
_VERBS = (
    ["eval", "digits"],
    ["replay", "digits"],
    ["predict", "digits", "digit.png"],
    ["evolve", "--task", "digits"],
    ["evolve", "--task", "digits", "--profile", "profile"],
)


@pytest.fixture(params=_ANSWERS, ids=lambda exc: type(exc).__name__)
def no_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets JAX fail as it does where a backend cannot start; returns what it says."""

    def fail() -> None:
        raise request.param

    monkeypatch.setattr(jax, "devices", fail)
    return str(request.param).partition("\n")[0]


def test_a_backend_that_cannot_start_is_a_message_and_no_defect(run, trained_repo: Path, no_backend: str) -> None:
    (trained_repo / "digit.png").write_bytes(b"")
    for verb in _VERBS:
        result = run("-C", trained_repo, *verb)
        assert (result.code, result.out) == (1, "")
        assert "JAX finds no device" in result.err
        assert no_backend in result.err
        assert "hint: To compute on the CPU: JAX_PLATFORMS=cpu" in result.err


def test_the_platform_that_was_asked_for_is_named(no_backend: str, monkeypatch) -> None:
    monkeypatch.setattr(jax, "config", SimpleNamespace(jax_platforms="cuda"))
    with pytest.raises(DeviceError, match="JAX_PLATFORMS=cuda asks for a device that JAX cannot start here") as caught:
        devices.find_devices()
    assert no_backend in caught.value.message
    assert (caught.value.hint or "").startswith("Unset JAX_PLATFORMS")


@pytest.mark.parametrize(
    ("asked", "advised"), [("cuda", "cuda12"), ("tpu", "jax[tpu]"), ("rocm", "AMD"), ("cpu", None)]
)
def test_only_what_the_platform_needs_is_advised(
    no_backend: str, monkeypatch: pytest.MonkeyPatch, asked: str, advised: str | None
) -> None:
    monkeypatch.setattr(jax, "config", SimpleNamespace(jax_platforms=asked))
    with pytest.raises(DeviceError) as caught:
        devices.find_devices()
    hint = str(caught.value.hint)
    assert [word for word in ("cuda12", "jax[tpu]", "AMD") if word in hint] == ([advised] if advised else [])


def test_doctor_says_so_and_goes_on(run, trained_repo: Path, no_backend: str) -> None:
    result = run("-C", trained_repo, "doctor")
    found = {row[0]: row[1:] for row in result.rows()}
    assert result.code == 1
    assert found["devices"][0] == "failed"
    assert no_backend in found["devices"][1]
    assert (found["storage"][0], found["repository"][0]) == ("ok", "ok")


@pytest.mark.parametrize("where", ["below-a-file", "no-right"])
def test_doctor_tries_to_write_where_programs_are_kept(run, tmp_path: Path, monkeypatch, where: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MU2NET_CACHE_DIR", str(tmp_path / "file") if where == "below-a-file" else "/proc/nowhere")
    result = run("doctor")
    found = {row[0]: row[1:] for row in result.rows()}["compiled programs"]
    assert found[0] == "warning"
    assert "cannot write to" in found[1]
    assert "MU2NET_CACHE_DIR" in result.err


def compiled(run) -> list[str]:
    return {row[0]: row[1:] for row in run("doctor").rows()}["compiled programs"]


def test_doctor_says_what_is_no_folder_on_the_way(run, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, why in (("file", "is a file"), ("link/below", "leads nowhere")):
        monkeypatch.setenv("MU2NET_CACHE_DIR", str(tmp_path / name))
        monkeypatch.setenv("MU2NET_DATA_DIR", str(tmp_path / name.partition("/")[0]))
        outcome, detail = compiled(run)[:2]
        assert (outcome, why in detail) == ("warning", True)
        assert why in {row[0]: row[1:] for row in run("doctor").rows()}["data"][1]


def test_a_url_is_no_place_for_programs(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MU2NET_CACHE_DIR", "s3://bucket/cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    result = run("doctor")
    assert "warning: MU2NET_CACHE_DIR is the URL s3://bucket/cache" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_a_fork_of_a_process_that_computed_is_an_error_and_no_endless_wait(trained_repo: Path, monkeypatch) -> None:
    repo = m.open(trained_repo)
    model, image = repo.model("digits"), np.zeros((1, 8, 8), np.uint8)
    assert len(model.predict(image)) == 1
    monkeypatch.setattr(devices, "_USED_BY", [os.getpid() + 1])  # as it is seen from a fork
    with pytest.raises(DeviceError, match="was forked"):
        model.predict(image)
    with pytest.raises(DeviceError, match="spawn"):
        repo.model("digits")
    with pytest.raises(DeviceError, match="spawn"):
        repo.evaluate("digits")
