from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Snapshot, object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import model_of


def _problems(repo: Repository) -> set[tuple[str, str]]:
    return {(problem.kind, problem.object) for problem in fsck(open_repository(repo.path)).problems}


def test_a_whole_repository_is_clean(grown: Repository) -> None:
    report = fsck(grown)
    assert report.is_clean
    assert report.counts["entries"] == 8
    assert report.counts["tags"] == 1
    assert report.counts["model"] == 7
    assert report.counts["unreachable"] == 0
    assert report.counts["bytes"] > 10_000


def test_objects_nothing_refers_to_are_counted_and_fine(grown: Repository) -> None:
    grown.objects.put(Snapshot(heads={}, roots={}))
    report = fsck(grown)
    assert report.is_clean
    assert report.counts["unreachable"] == 1


@pytest.mark.parametrize("kind", ["component", "model", "task", "commit", "snapshot"])
def test_a_flipped_bit_in_any_kind_of_object(grown: Repository, kind: str) -> None:
    key = next(iter(grown.store.list(f"objects/{kind}")))
    path = grown.path / key
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    oid = path.parent.name + path.name.partition(".")[0]
    assert ("damaged-object", f"{kind}/{oid}") in _problems(grown)
    assert path.exists(), "a check without repair changes nothing"


@pytest.mark.parametrize("kind", ["component", "model", "task", "commit", "snapshot"])
def test_a_missing_object_of_any_kind(grown: Repository, kind: str) -> None:
    keys = list(grown.store.list(f"objects/{kind}"))
    for key in keys:
        grown.store.delete(key)
    assert "missing-object" in {found for found, about in _problems(grown) if about.startswith(kind)}


def test_a_missing_component_of_a_model_nobody_retains_is_normal(grown: Repository) -> None:
    retained = grown.objects.model(model_of(grown, "a"))
    between = replace(retained, components=(replace(retained.components[0], id="0" * 64), *retained.components[1:]))
    between_id = grown.objects.put(between)
    child = grown.objects.put(replace(retained, parent=between_id, seed=99))
    head = grown.refs.head("a")
    assert head is not None
    commit = replace(grown.objects.commit(head.commit), model=child, parents=(head.commit,))
    grown.refs.append("a", grown.objects.put(commit), after=head)
    assert _problems(grown) == set()


def test_in_a_partial_clone_components_may_be_elsewhere_but_nothing_else(grown: Repository, tmp_path: Path) -> None:
    component = next(iter(grown.objects.ids("component")))
    shutil.copytree(grown.path, tmp_path / "hub")
    grown.store.delete(object_key("component", component))
    remote = Remote(name="origin", url=str(tmp_path / "hub"), partial=True)
    grown.update_config(lambda config: config.with_remote(remote))
    assert _problems(grown) == set()
    task = next(iter(grown.objects.ids("task")))
    grown.store.delete(object_key("task", task))
    assert _problems(grown) == {("missing-object", f"task/{task}")}


@pytest.fixture
def lost(grown: Repository, tmp_path: Path) -> str:
    """Returns a component of the head of ``a`` of which only a damaged copy is left, set aside; the remote lacks it."""
    sample_repository(tmp_path / "hub", bare=True)
    remote = Remote(name="origin", url=str(tmp_path / "hub"), partial=True)
    grown.update_config(lambda config: config.with_remote(remote))
    oid = next(r.id for r in grown.objects.model(model_of(grown, "a")).components if r.trainable)
    _flip(grown.path / object_key("component", oid))
    with pytest.raises(CorruptObjectError, match="state/corrupt"):
        grown.objects.component(oid)
    return oid


def test_a_component_that_no_remote_has_is_missing(grown: Repository, lost: str) -> None:
    (problem,) = fsck(open_repository(grown.path)).problems
    assert (problem.kind, problem.object) == ("missing-object", f"component/{lost}")
    assert "neither here nor on origin" in problem.message
    assert f"set aside: {grown.state}/corrupt/component-{lost}" in problem.message
    state = grown.refs.log("a")[-2]
    whole = grown.objects.commit(state.commit).model
    assert whole is not None
    assert f"The newest model of a that is whole: mu2net eval {whole[:10]}" in problem.message


def test_a_copy_set_aside_comes_back_from_the_remote_that_has_it(grown: Repository, tmp_path: Path, lost: str) -> None:
    hub = open_repository(tmp_path / "hub")
    _flip(grown.state / "corrupt" / f"component-{lost}.zarr.zip")
    good = (grown.state / "corrupt" / f"component-{lost}.zarr.zip").read_bytes()
    assert hub.objects.put_bytes("component", good) == lost
    assert fsck(open_repository(grown.path)).is_clean
    assert fsck(open_repository(grown.path), remote=hub).repaired == (f"component/{lost}",)
    assert grown.objects.has("component", lost)


def test_remotes_that_cannot_be_asked_are_a_problem(grown: Repository, tmp_path: Path, lost: str) -> None:
    shutil.rmtree(tmp_path / "hub")
    other = next(r.id for r in grown.objects.model(model_of(grown, "b/c")).components if r.id != lost)
    grown.store.delete(object_key("component", other))
    found = {(p.kind, p.object): p.message for p in fsck(open_repository(grown.path)).problems}
    assert set(found) == {("unreachable-remote", "remote/origin"), ("missing-object", f"component/{lost}")}
    assert "2 components that are not here could not be checked" in found["unreachable-remote", "remote/origin"]
    assert "state/corrupt" in found["missing-object", f"component/{lost}"]


@pytest.mark.parametrize("data", [b"", b'{"commit":'], ids=["empty", "truncated"])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_truncated_ref(grown: Repository, number: int, data: bytes) -> None:
    (grown.path / f"refs/heads/a/{number:08d}").write_bytes(data)
    assert ("damaged-ref", f"refs/heads/a/{number:08d}") in _problems(grown)


def test_a_truncated_newest_ref_can_be_given_up(grown: Repository) -> None:
    newest = grown.path / "refs/heads/a/00000004"
    newest.write_bytes(b"")
    (problem,) = fsck(open_repository(grown.path)).problems
    assert f"delete {newest}: then the head of a is at its entry 3 again" in problem.message
    newest.unlink()
    assert fsck(open_repository(grown.path)).is_clean


def test_a_lost_entry_in_the_middle(grown: Repository) -> None:
    (grown.path / "refs/heads/a/00000002").unlink()
    assert _problems(grown) == {("missing-ref", "refs/heads/a/00000002")}


def test_an_entry_that_does_not_chain(grown: Repository) -> None:
    shutil.copy(grown.path / "refs/heads/a/00000003", grown.path / "refs/heads/a/00000004")
    assert ("damaged-ref", "refs/heads/a/00000004") in _problems(grown)


def test_a_head_of_another_tasks_commit(grown: Repository) -> None:
    head = grown.refs.head("a")
    other = grown.refs.head("b/c")
    assert other is not None
    grown.refs.append("a", other.commit, after=head)
    assert _problems(grown) == {("wrong-reference", "refs/heads/a/00000005")}


@pytest.mark.parametrize("name", ["refs/tags/v1", "refs/roots/tiny"])
def test_a_damaged_tag_or_root(grown: Repository, name: str) -> None:
    (grown.path / name).write_bytes(b"")
    assert ("damaged-ref", name) in _problems(grown)


def test_a_tag_of_nothing(grown: Repository) -> None:
    grown.refs.create_tag("v2", "0" * 64)
    assert _problems(grown) == {("missing-object", f"snapshot/{'0' * 64}")}


@pytest.mark.parametrize("change", [{"num_params": 1}, {"size_bytes": 1}])
def test_a_manifest_that_is_wrong_about_a_component(grown: Repository, change: dict[str, int]) -> None:
    model = grown.objects.model(model_of(grown, "a"))
    wrong = replace(model, components=(replace(model.components[0], **change), *model.components[1:]))
    grown.refs.create_root("wrong", grown.objects.put(wrong))
    assert ("wrong-reference", f"model/{grown.refs.roots()['wrong']}") in _problems(grown)


def test_foreign_files_are_reported(grown: Repository) -> None:
    (grown.path / "objects/model/notes.txt").write_text("hello")
    (grown.path / "refs/lost").write_text("hello")
    assert _problems(grown) == {("damaged-object", "objects/model/notes.txt"), ("damaged-ref", "refs/lost")}


def test_a_future_object_says_so(grown: Repository) -> None:
    oid = grown.objects.put_bytes("model", b'{"format":2}')
    (problem,) = fsck(grown).problems
    assert (problem.object, "a future format" in problem.message) == (f"model/{oid}", True)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


_KILLED = """
import sys
from pathlib import Path
from mu2net_core.repo import Refs, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.servers.wrappers import FaultyStore
repo = open_repository(Path(sys.argv[1]))
store = FaultyStore(repo.store, at=int(sys.argv[2]), how="exit", when=sys.argv[3])
repo.objects.store, repo.refs = store, Refs(store)
add_sample_task(repo, "killed")
evolve_sample(repo, "killed", score=0.5, trains=("encoderblock_0", "head"))
"""

_FULL = """
import resource, sys
from pathlib import Path
from mu2net_core.errors import StorageError
from mu2net_core.repo import open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
repo = open_repository(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    add_sample_task(repo, "full")
    evolve_sample(repo, "full", score=0.5)
except StorageError as exc:
    sys.exit(0 if "disk full" in str(exc) and "Free some space" in str(exc) else str(exc))
sys.exit("the disk was not full")
"""


@pytest.mark.parametrize("limit", [50, 150, 400, 1000, 3000])
def test_a_full_disk_leaves_it_clean_and_the_work_can_be_repeated(repo: Repository, limit: int) -> None:
    command = [sys.executable, "-c", _FULL, str(repo.path), str(limit)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = open_repository(repo.path)
    assert fsck(again).is_clean
    if again.refs.head("full") is None:
        add_sample_task(again, "full")
    evolve_sample(again, "full", score=0.5)
    assert fsck(again).is_clean


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_write_it_stays_clean(repo: Repository, tmp_path: Path, when: str) -> None:
    outcomes = []
    for moment in range(1, 20, 2):
        folder = tmp_path / f"{moment}"
        shutil.copytree(repo.worktree, folder)
        command = [sys.executable, "-c", _KILLED, str(folder), str(moment), when]
        outcomes.append(subprocess.run(command, check=False).returncode)
        assert fsck(open_repository(folder)).is_clean
        if outcomes[-1] == 0:
            break
    assert outcomes[-1] == 0
    assert outcomes.count(9) >= 4


@pytest.mark.parametrize("key", ["refs/heads/Not A Name/00000001", "refs/heads/a/00000000", "refs/tags/No Name"])
def test_a_stray_ref_is_reported_and_hinders_nobody(grown: Repository, key: str) -> None:
    file = grown.path / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"stray")
    again = open_repository(grown.path)
    assert set(again.refs.heads()) == {"a", "b/c"}
    assert set(again.refs.tags()) == {"v1"}
    assert _problems(grown) == {("damaged-ref", key)}


def test_an_absurd_number_costs_no_time(grown: Repository) -> None:
    (grown.path / "refs/heads/a/99999999").write_bytes((grown.path / "refs/heads/a/00000001").read_bytes())
    found = [problem for problem in fsck(grown).problems if problem.kind == "missing-ref"]
    assert [problem.object for problem in found] == ["refs/heads/a/00000005"]
    assert "99999998" in found[0].message
