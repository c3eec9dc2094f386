from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mu2net_core.errors import AccessDeniedError, InvalidInputError, Mu2netError, StorageError
from mu2net_core.objects import hash_bytes
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.core.repository import CONFIG
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.probing import probe_notes
from mu2net_core.repo.probing.place_probe import ProbeReport, Verdict
from mu2net_core.repo.probing.probe_notes import check_vetted, forget_note, read_note, vet
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import forget_tracking
from mu2net_core.testing.building.samples import add_sample_task

REMOTE = Remote(name="team/hub", url="memory://probe_notes")


def now() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[Verdict]:
    """Returns the verdicts that the next probes give, the last first."""
    verdicts: list[Verdict] = ["safe"]

    def probe(store: object, **_: object) -> ProbeReport:
        return ProbeReport(
            url="memory://probe_notes", verdict=verdicts.pop(), reason="why", rights=(), is_repository=False, read_s=0.1
        )

    monkeypatch.setattr(probe_notes, "probe", probe)
    return verdicts


def test_what_a_probe_finds_is_noted(tmp_path: Path) -> None:
    report = vet(tmp_path, connect(REMOTE), now=now)
    note = read_note(tmp_path, REMOTE)
    assert note is not None
    assert (report.verdict, note.verdict, note.reason, note.probed_at) == (
        "safe", "safe", None, "2026-01-02T03:04:05+00:00",
    )  # fmt: skip
    forget_note(tmp_path, REMOTE.name)
    forget_note(tmp_path, REMOTE.name)
    assert read_note(tmp_path, REMOTE) is None


@pytest.mark.parametrize("other", [{"url": "memory://elsewhere"}, {"options": {"region": "eu"}}])
def test_a_note_is_of_one_place_reached_in_one_way(tmp_path: Path, other: dict[str, object]) -> None:
    vet(tmp_path, connect(REMOTE), now=now)
    assert read_note(tmp_path, replace(REMOTE, **other)) is None  # type: ignore[arg-type]


def test_a_damaged_note_is_none(tmp_path: Path) -> None:
    vet(tmp_path, connect(REMOTE), now=now)
    next((tmp_path / "probes").iterdir()).write_bytes(b"{")
    assert read_note(tmp_path, REMOTE) is None


class TestBeforeAPush:
    @pytest.mark.parametrize("verdict", ["safe", "append-only"])
    def test_a_good_verdict_is_relied_on(self, tmp_path: Path, probes: list[Verdict], verdict: Verdict) -> None:
        probes[:] = [verdict]
        for _ in range(3):
            check_vetted(tmp_path, REMOTE, now=now)
        assert probes == []

    @pytest.mark.parametrize(("verdict", "error"), [("unsafe", StorageError), ("read-only", AccessDeniedError)])
    def test_a_bad_one_is_looked_at_again(
        self, tmp_path: Path, probes: list[Verdict], verdict: Verdict, error: type[Mu2netError]
    ) -> None:
        probes[:] = ["safe", verdict, verdict]
        for _ in range(2):
            with pytest.raises(error, match="memory://probe_notes: why"):
                check_vetted(tmp_path, REMOTE, now=now)
        check_vetted(tmp_path, REMOTE, now=now)
        assert probes == []

    def test_other_software_looks_again(
        self, tmp_path: Path, probes: list[Verdict], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        probes[:] = ["safe", "safe"]
        check_vetted(tmp_path, REMOTE, now=now)
        monkeypatch.setattr(probe_notes, "__version__", "99")
        check_vetted(tmp_path, REMOTE, now=now)
        assert probes == []

    def test_a_folder_is_not_probed(self, tmp_path: Path, probes: list[Verdict]) -> None:
        check_vetted(tmp_path, Remote(name="origin", url=str(tmp_path / "shared")), now=now)
        assert probes == ["safe"]


def test_a_repository_that_was_seen_is_no_other_thing_without_its_settings(
    repo: Repository, request: pytest.FixtureRequest
) -> None:
    remote = Remote(name="origin", url=f"memory://{hash_bytes(request.node.nodeid.encode())}")
    add_sample_task(repo, "cats")
    push(repo, remote)
    connect(remote).store.delete(CONFIG)
    check_vetted(repo.state, remote, now=now)
    assert push(repo, remote).restored == (CONFIG,)
    connect(remote).store.delete(CONFIG)
    forget_tracking(repo.state, remote.name)
    forget_note(repo.state, remote.name)
    with pytest.raises(InvalidInputError, match="holds other things"):
        check_vetted(repo.state, remote, now=now)
