"""fsck and doctor."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup import doctor as doctor_module
from mu2net_core.api.setup.doctor import Check, DoctorReport, doctor
from mu2net_core.api.sharing import push, remote
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import NotFoundError, StorageError
from mu2net_core.objects import object_key
from mu2net_core.repo import Repository
from mu2net_core.repo.probing.probe_notes import forget_note
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def pushed(repo: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a repository with a task, pushed to a folder called hub."""
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.1)
    remote.add(repo, context, "origin", str(tmp_path / "hub"), full=True)
    push.push(repo, context)
    return repo


@pytest.mark.parametrize("source", ["origin", "hub"])
def test_a_damaged_component_comes_back_from_a_remote_or_a_folder(
    pushed: Repository, context: Context, source: str
) -> None:
    oid = next(iter(pushed.objects.ids("component")))
    path = pushed.path / object_key("component", oid)
    path.write_bytes(path.read_bytes()[:-1])
    assert [problem.kind for problem in fsck(pushed, context).problems] == ["damaged-object"]
    report = fsck(pushed, context, repair_from=source)
    assert (report.is_clean, report.repaired) == (True, (f"component/{oid}",))
    assert fsck(pushed, context).is_clean


def test_what_was_pushed_is_clean_too(pushed: Repository, context: Context, tmp_path: Path) -> None:
    from mu2net_core.api.setup.open import open_repo

    assert fsck(open_repo(tmp_path / "hub", context), context).is_clean


def test_repair_from_nowhere(pushed: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match=r"no remote nowhere \(remotes: origin\)\. No repository at"):
        fsck(pushed, context, repair_from="nowhere")
    with pytest.raises(NotFoundError, match="Did you mean origin"):
        fsck(pushed, context, repair_from="orign")


def _outcomes(report: DoctorReport) -> dict[str, str]:
    return {check.name: check.outcome for check in report.checks}


def test_a_healthy_working_copy(pushed: Repository, context: Context, tmp_path: Path) -> None:
    context = replace(context, environ={"TFDS_DATA_DIR": str(tmp_path)})
    report = doctor(pushed, context)
    assert report.is_healthy
    assert set(_outcomes(report).values()) == {"ok"}
    devices = next(check for check in report.checks if check.name == "devices")
    assert "cpu" in devices.detail.lower()
    assert not (pushed.state / "probed").exists()


def test_outside_a_repository(context: Context, tmp_path: Path) -> None:
    report = doctor(None, replace(context, environ={"TFDS_DATA_DIR": str(tmp_path / "none")}))
    assert report.is_healthy
    assert _outcomes(report)["repository"] == _outcomes(report)["data"] == "warning"


def _check(report: DoctorReport, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


class TestRemotes:
    def test_what_is_known_of_one_is_said(self, pushed: Repository, context: Context, tmp_path: Path) -> None:
        found = _check(doctor(pushed, context), "remote origin")
        assert found.outcome == "ok"
        assert found.detail == f"{tmp_path}/hub: reached, preset vit-ti0, for everybody, probed 2026-01-02: safe"

    def test_a_bucket_that_was_never_probed(self, repo: Repository, context: Context) -> None:
        remote.add(repo, context, "origin", "memory://doctor/never-probed", check=False)
        push.push(repo, context)  # which probes it
        assert _check(doctor(repo, context), "remote origin").outcome == "ok"
        forget_note(repo.state, "origin")
        found = _check(doctor(repo, context), "remote origin")
        assert (found.outcome, found.hint) == ("warning", "mu2net remote check origin")
        assert "never probed; the first push does it" in found.detail

    def test_a_folder_needs_no_probe(self, pushed: Repository, context: Context) -> None:
        forget_note(pushed.state, "origin")
        found = _check(doctor(pushed, context), "remote origin")
        assert (found.outcome, found.hint) == ("ok", None)
        push.push(pushed, context)  # probes none either
        assert "a folder, which needs no probe" in _check(doctor(pushed, context), "remote origin").detail

    def test_one_without_a_repository_yet(self, repo: Repository, context: Context, tmp_path: Path) -> None:
        remote.add(repo, context, "origin", str(tmp_path / "hub"))
        found = _check(doctor(repo, context), "remote origin")
        assert (found.outcome, found.hint) == ("warning", "mu2net push origin")
        assert "no repository yet" in found.detail

    def test_one_that_is_gone(self, pushed: Repository, context: Context, tmp_path: Path) -> None:
        (tmp_path / "hub").rename(tmp_path / "unplugged")
        report = doctor(pushed, context)
        assert _check(report, "remote origin").outcome == "failed"
        assert not report.is_healthy

    def test_one_that_does_not_answer_is_not_waited_for(
        self, pushed: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stop = threading.Event()

        def silent(*args: object, **kwargs: object) -> None:
            stop.wait(30)
            raise StorageError("stopped")

        monkeypatch.setattr(doctor_module, "connect", silent)
        monkeypatch.setattr(doctor_module, "_PATIENCE_S", 0.05)
        found = _check(doctor(pushed, context), "remote origin")
        stop.set()
        assert found.outcome == "failed"
        assert "no answer within" in found.detail


def test_a_missing_library_fails(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "_LIBRARIES", ("numpy", "no-such-library"))
    found = next(check for check in doctor(None, context).checks if check.name == "libraries")
    assert found.outcome == "failed"
    assert found.detail.startswith("missing: no-such-library; found: numpy ")


def test_a_storage_that_overwrites_is_found_out(
    repo: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Overwriting(LocalStore):
        def create(self, key: str, data: bytes) -> bool:
            self.delete(key)
            return super().create(key, data)

    monkeypatch.setattr(doctor_module, "LocalStore", Overwriting)
    report = doctor(repo, context)
    assert _outcomes(report)["storage"] == "failed"
    assert not report.is_healthy


def test_the_light_verbs_import_no_heavy_library() -> None:
    import subprocess

    code = (
        "import sys, mu2net_core.api.looking.status, mu2net_core.api.sharing.tag\n"
        "import mu2net_core.api.setup.config, mu2net_core.api.setup.open\n"
        "heavy = {'numpy', 'jax', 'flax', 'zarr', 'fsspec', 'tensorflow_datasets'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
