from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import InternalError
from mu2net_core.objects import PUBLIC, AccessRule, Snapshot
from mu2net_core.repo import HeadState, Remote, Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.exchange.transfer import send
from mu2net_core.repo.remotes.audience import refused_task
from mu2net_core.repo.remotes.closure import Knowledge, collect
from mu2net_core.repo.remotes.remotes import connect_or_create
from mu2net_core.repo.remotes.reports import Counter, TaskReport
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_task
from mu2net_core.testing.servers.wrappers import WrappedStore
from mu2net_core.testing.worlds.sharing import model_of


class Recorder(WrappedStore):
    """Keeps all that was sent: keys and bytes."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.sent = b""

    def create(self, key: str, data: bytes) -> bool:
        with self._lock:
            self.sent += key.encode() + b"\n" + data + b"\n"
        return super().create(key, data)


def remote(tmp_path: Path, readers: Sequence[str] | None = None) -> Remote:
    return Remote(name="origin", url=str(tmp_path / "shared"), readers=None if readers is None else tuple(readers))


def record(repo: Repository, to: Remote, tasks: Sequence[str] = ()) -> tuple[bytes, dict[str, TaskReport]]:
    """Pushes, and returns all bytes sent and the reports."""
    recorders: list[Recorder] = []

    def opened(url: str) -> Store:
        recorders.append(Recorder(open_store(url)))
        return recorders[-1]

    reports = push(repo, to, tasks=tasks, open_store=opened).tasks
    return b"".join(recorder.sent for recorder in recorders), {report.task: report for report in reports}


def head(repo: Repository, task: str) -> HeadState:
    state = repo.refs.head(task)
    assert state is not None
    return state


@pytest.fixture
def mixed(repo: Repository) -> Repository:
    """Returns a repository where a private task learned from a public one, which went on afterwards."""
    add_sample_task(repo, "open")
    add_sample_task(repo, "hush/secret", AccessRule.only(["hush/secret"]))
    evolve_sample(repo, "open", score=0.5, seed=1)
    parent = model_of(repo, "open")
    evolve_sample(repo, "hush/secret", score=0.6, parent=parent, trains=("encoderblock_0", "head"), seed=2)
    evolve_sample(repo, "open", score=0.7, seed=3)
    evolve_sample(repo, "hush/secret", score=0.8, seed=4)
    return repo


def private_ids(repo: Repository) -> set[str]:
    """Returns the id of every object only the private task reaches."""
    found = set()
    for kind in ("model", "task", "commit"):
        for oid in repo.objects.ids(kind):  # type: ignore[arg-type]
            value = repo.objects.read(kind, oid)  # type: ignore[arg-type]
            found |= {oid} if b"hush/secret" in value else set()
    for oid in repo.objects.ids("model"):
        found |= {ref.id for ref in repo.objects.model(oid).components if "hush/secret" in ref.training}
    return found


def test_nothing_of_a_private_task_is_ever_sent(mixed: Repository, tmp_path: Path) -> None:
    sent, reports = record(mixed, remote(tmp_path))
    assert reports["open"].outcome == "new"
    assert reports["hush/secret"].outcome == "skipped"
    assert reports["hush/secret"].reason == "hush/secret is private, and the remote is for everybody"
    assert b"hush" not in sent
    ids = private_ids(mixed)
    assert len(ids) > 6
    for oid in ids:
        assert oid.encode() not in sent
        assert f"{oid[:2]}/{oid[2:]}".encode() not in sent
    assert fsck(open_repository(tmp_path / "shared")).problems == ()


def test_asking_for_a_private_task_by_name_does_not_help(mixed: Repository, tmp_path: Path) -> None:
    sent, reports = record(mixed, remote(tmp_path), tasks=["hush/secret"])
    assert b"hush" not in sent
    assert {task: report.outcome for task, report in reports.items()} == {"hush/secret": "skipped"}


def test_a_tag_that_names_a_private_task_stays(mixed: Repository, tmp_path: Path) -> None:
    everything = {task: head(mixed, task).commit for task in mixed.refs.tasks()}
    mixed.refs.create_tag("all", mixed.objects.put(Snapshot(heads=everything, roots={})))
    public = Snapshot(heads={"open": everything["open"]}, roots=mixed.refs.roots())
    mixed.refs.create_tag("public", mixed.objects.put(public))
    tags = {tag.name: tag for tag in push(mixed, remote(tmp_path)).tags}
    assert (tags["all"].outcome, tags["public"].outcome) == ("skipped", "new")
    assert tags["all"].reason is not None
    assert list(open_repository(tmp_path / "shared").refs.tags()) == ["public"]


def test_a_snapshot_that_names_a_private_task_stays(mixed: Repository, tmp_path: Path) -> None:
    state = head(mixed, "open")
    leak = mixed.objects.put(Snapshot(heads={"hush/secret": head(mixed, "hush/secret").commit}, roots={}))
    commit = replace(mixed.objects.commit(state.commit), parents=(state.commit,), snapshot=leak)
    mixed.refs.append("open", mixed.objects.put(commit), after=state)
    sent, reports = record(mixed, remote(tmp_path))
    assert reports["open"].outcome == "skipped"
    assert "its history names hush/secret is private" in (reports["open"].reason or "")
    assert b"hush" not in sent


def test_a_public_model_that_holds_private_knowledge_stays(mixed: Repository, tmp_path: Path) -> None:
    evolve_sample(mixed, "open", score=0.9, parent=model_of(mixed, "hush/secret"))  # what no search would do
    sent, reports = record(mixed, remote(tmp_path))
    assert reports["open"].outcome == "skipped"
    assert b"hush" not in sent


def test_the_last_gate_refuses_private_components_whoever_asks(mixed: Repository, tmp_path: Path) -> None:
    place = remote(tmp_path)
    reached = connect_or_create(place, mixed.config)
    knowledge = Knowledge(mixed.objects, read_tracking(mixed.state, place))
    closure = collect(mixed.objects, [("commit", head(mixed, "hush/secret").commit)], knowledge)
    with pytest.raises(InternalError, match="may not go to origin, and was about to"):
        send(mixed.objects, reached, [closure], load_system(mixed).rules, what="x", counter=Counter())
    sent = {path.name for path in (tmp_path / "shared" / "objects").rglob("*") if path.is_file()}
    assert not any(oid[2:] in name for oid in private_ids(mixed) for name in sent)


def test_a_task_that_became_private_goes_no_further(repo: Repository, tmp_path: Path) -> None:
    add_sample_task(repo, "a")
    state = evolve_sample(repo, "a", score=0.5)
    push(repo, remote(tmp_path))
    private = repo.objects.put(sample_task("a", AccessRule.only(["a"])))
    commit = replace(repo.objects.commit(state.commit), task_id=private, parents=(state.commit,))
    repo.refs.append("a", repo.objects.put(commit), after=state)
    sent, reports = record(repo, remote(tmp_path))
    assert reports["a"].outcome == "skipped"
    assert sent == b""


@pytest.mark.parametrize(
    ("readers", "held"),
    [
        (None, {"open"}),
        (["red"], {"open", "red/a", "both"}),
        (["blue"], {"open", "both"}),
        (["blue", "red"], {"open", "both"}),
        (["green"], {"open"}),
    ],
)
def test_a_remote_holds_what_all_its_readers_may_see(
    repo: Repository, tmp_path: Path, readers: list[str] | None, held: set[str]
) -> None:
    rules = {"open": PUBLIC, "both": AccessRule.only(["red", "blue"]), "red/a": AccessRule.only(["red"])}
    for seed, (task, rule) in enumerate(rules.items()):
        add_sample_task(repo, task, rule)
        evolve_sample(repo, task, score=0.5, seed=seed)
    record(repo, remote(tmp_path, readers))
    shared = open_repository(tmp_path / "shared")
    assert set(shared.refs.tasks()) == held
    assert fsck(shared).problems == ()


def test_a_group_task_that_could_use_a_narrower_one_and_did_not_is_sent(repo: Repository, tmp_path: Path) -> None:
    add_sample_task(repo, "narrow", AccessRule.only(["red"]))
    evolve_sample(repo, "narrow", score=0.5)
    add_sample_task(repo, "wide", AccessRule.only(["blue", "red"]))
    evolve_sample(repo, "wide", score=0.6, seed=7)
    sent, reports = record(repo, remote(tmp_path, ["blue"]))
    assert reports["wide"].outcome == "new"
    assert reports["narrow"].outcome == "skipped"
    assert b"narrow" not in sent
    assert fsck(open_repository(tmp_path / "shared")).problems == ()


def test_a_group_task_that_learned_from_a_narrower_one_stays(repo: Repository, tmp_path: Path) -> None:
    add_sample_task(repo, "narrow", AccessRule.only(["red"]))
    add_sample_task(repo, "wide", AccessRule.only(["blue", "red"]))
    evolve_sample(repo, "narrow", score=0.5)
    evolve_sample(repo, "wide", score=0.6, parent=model_of(repo, "narrow"))
    _, reports = record(repo, remote(tmp_path, ["blue"]))
    assert reports["wide"].outcome == "skipped"
    assert "narrow is for red only, and the remote is for blue" in (reports["wide"].reason or "")
    _, reports = record(repo, replace(remote(tmp_path, ["red"]), name="red", url=str(tmp_path / "red")))
    assert {report.outcome for report in reports.values()} == {"new"}


def test_an_unknown_task_is_for_nobody() -> None:
    reason = refused_task("ghost", {}, AccessRule.only(["red"]))
    assert reason == "ghost is for nobody only, and the remote is for red"


def test_sending_one_task_makes_those_it_learned_from_known(repo: Repository, tmp_path: Path) -> None:
    for task in ("teacher", "pupil", "stranger"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5)
    evolve_sample(repo, "pupil", score=0.6, parent=model_of(repo, "teacher"), trains=("head",))
    _, reports = record(repo, remote(tmp_path), tasks=["pupil"])
    assert {task: report.outcome for task, report in reports.items()} == {"pupil": "new", "teacher": "new"}
    assert reports["teacher"].reason == "pupil learned from it"
    shared = open_repository(tmp_path / "shared")
    assert shared.refs.tasks() == ("pupil", "teacher")
    assert shared.objects.commit(head(shared, "teacher").commit).model is None
    assert fsck(shared).problems == ()
    assert record(repo, remote(tmp_path))[1]["teacher"].outcome == "updated"
    assert head(shared, "teacher").commit == head(repo, "teacher").commit
