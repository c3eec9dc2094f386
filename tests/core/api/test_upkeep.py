"""fsck and doctor."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api import doctor as doctor_module
from mu2net_core.api import push, remote
from mu2net_core.api.context import Context
from mu2net_core.api.doctor import DoctorReport, doctor, probe
from mu2net_core.api.fsck import fsck
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import object_key
from mu2net_core.repo import Repository
from mu2net_core.storage import LocalStore
from mu2net_core.testing.samples import add_sample_task, evolve_sample


@pytest.fixture
def pushed(repo: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a repository with a task, pushed to a folder called hub."""
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.1)
    remote.add(repo, context, "origin", str(tmp_path / "hub"), partial=False)
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
    from mu2net_core.api.open import open_repo

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
    assert list((pushed.state / "probe").iterdir()) == []


def test_outside_a_repository(context: Context, tmp_path: Path) -> None:
    report = doctor(None, replace(context, environ={"TFDS_DATA_DIR": str(tmp_path / "none")}))
    assert report.is_healthy
    assert _outcomes(report)["repository"] == _outcomes(report)["data"] == "warning"


def test_an_unreachable_remote_fails(repo: Repository, context: Context, tmp_path: Path) -> None:
    remote.add(repo, context, "origin", str(tmp_path / "hub"))
    report = doctor(repo, context)
    assert _outcomes(report)["remote origin"] == "failed"
    assert not report.is_healthy


def test_a_missing_library_fails(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "_LIBRARIES", ("numpy", "no-such-library"))
    found = next(check for check in doctor(None, context).checks if check.name == "libraries")
    assert found.outcome == "failed"
    assert found.detail.startswith("missing: no-such-library; found: numpy ")


def test_a_storage_that_overwrites_is_found_out(tmp_path: Path) -> None:
    class Overwriting(LocalStore):
        def create(self, key: str, data: bytes) -> bool:
            self.root.mkdir(exist_ok=True)
            (self.root / key).write_bytes(data)
            return True

    assert probe(Overwriting(tmp_path / "bad")) == "a second write to the same key was not refused"
    assert probe(LocalStore(tmp_path / "good")) is None
    assert list((tmp_path / "good").iterdir()) == list((tmp_path / "bad").iterdir()) == []


def test_the_light_verbs_import_no_heavy_library() -> None:
    import subprocess

    code = (
        "import sys, mu2net_core.api.status, mu2net_core.api.tag, mu2net_core.api.config, mu2net_core.api.open\n"
        "heavy = {'numpy', 'jax', 'flax', 'zarr', 'fsspec', 'tensorflow_datasets'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
