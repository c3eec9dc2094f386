from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create as tag
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.api.upkeep.fsck import fsck, parse_share
from mu2net_core.errors import ConflictError, CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule, Snapshot, hash_bytes, object_key
from mu2net_core.repo import Refs, Repository, load_system, open_repository
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository


def flip(file: Path, at: int | None = None) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


def files(folder: Path, below: str) -> list[Path]:
    return [file for file in sorted((folder / below).rglob("*")) if file.is_file()]


@pytest.fixture
def memory(repo: Repository, context: Context, request: pytest.FixtureRequest) -> Repository:
    """Returns a working copy with a remote that is no folder."""
    for task in ("a", "b"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task))
    remote.add(repo, context, "origin", f"memory://{hash_bytes(request.node.nodeid.encode())}")
    push(repo, context)
    return repo


def test_a_whole_remote_is_clean(ann: Repository, context: Context) -> None:
    report = fsck(ann, context, remote="origin")
    assert report.is_clean
    assert report.counts["commit"] == 6
    assert report.counts["bytes"] > 10_000


@pytest.mark.parametrize("kind", ["component", "model", "task", "commit", "snapshot"])
def test_a_flipped_bit_there_is_found_and_healed_from_here(
    ann: Repository, context: Context, tmp_path: Path, kind: str
) -> None:
    file = files(tmp_path / "shared", f"objects/{kind}")[0]
    good = file.read_bytes()
    flip(file)
    found = fsck(ann, context, remote="origin").problems
    assert [problem.kind for problem in found] == ["damaged-object"]
    context = Context(**{**{f: getattr(context, f) for f in context.__slots__}, "cwd": ann.worktree})
    report = fsck(ann, context, remote="origin", repair_from=".")
    assert (report.problems, report.repaired) == ((), (found[0].object,))
    assert file.read_bytes() == good
    assert fsck(ann, context, remote="origin").is_clean


def test_a_remote_that_is_no_folder_is_healed_too(memory: Repository, context: Context) -> None:
    store = open_store(memory.config.remotes["origin"].url)
    component, model = next(store.list("objects/component")), next(store.list("objects/model"))
    good = store.read(component)
    store.refresh(component, b"x" + good[1:])
    store.delete(model)
    assert len(fsck(memory, context, remote="origin").problems) == 2
    report = fsck(memory, context, remote="origin", repair_from=str(memory.worktree))
    assert report.problems == ()
    assert len(report.repaired) == 2
    assert store.read(component) == good


def test_the_only_entry_of_a_remote_is_not_taken_from_another_log(memory: Repository, context: Context) -> None:
    store = open_store(memory.config.remotes["origin"].url)
    assert len(list(store.list("refs/heads/a"))) == 1
    assert len(memory.refs.log("a")) == 2
    good = store.read("refs/heads/a/00000001")
    store.refresh("refs/heads/a/00000001", b"{")
    assert fsck(memory, context, remote="origin", repair_from=str(memory.worktree)).is_clean
    assert store.read("refs/heads/a/00000001") == good


def test_a_part_reads_its_objects_only_and_all_parts_find_everything(
    ann: Repository, context: Context, tmp_path: Path
) -> None:
    whole = fsck(ann, context, remote="origin").counts["bytes"]
    parts = [fsck(ann, context, remote="origin", subset=f"{n}/4").counts["bytes"] for n in range(1, 5)]
    assert sum(parts) == whole
    assert all(part < whole for part in parts)
    flip(files(tmp_path / "shared", "objects/component")[0])
    clean = [fsck(ann, context, remote="origin", subset=f"{n}/4").is_clean for n in range(1, 5)]
    assert sorted(clean) == [False, True, True, True]


def test_a_part_here(ann: Repository, context: Context) -> None:
    whole = fsck(ann, context).counts["bytes"]
    assert 0 < fsck(ann, context, subset="1/2").counts["bytes"] < whole
    assert fsck(ann, context, subset="1/2").is_clean


@pytest.mark.parametrize("text", ["0/10", "11/10", "1", "a/b", "1/0"])
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected n/m"):
        parse_share(text)


def test_progress_is_told(ann: Repository, context: Context) -> None:
    seen: list[tuple[str, int, int]] = []
    fsck(ann, context, remote="origin", progress=lambda *args: seen.append(args))
    assert ("checking objects", 20, 20) in [(what, done, total) for what, done, total in seen if total] or seen


def test_a_repair_sends_nothing_private(ann: Repository, context: Context, tmp_path: Path) -> None:
    add_sample_task(ann, "secret", AccessRule.only(["secret"]))
    evolve_sample(ann, "secret", score=0.5, seed=99)
    head = load_system(ann).heads["secret"]
    shared = open_repository(tmp_path / "shared")
    shared.refs.create_tag("lure", shared.objects.put(Snapshot(heads={"secret": head.commit_id}, roots={})))
    report = fsck(ann, context, remote="origin", repair_from=str(ann.worktree))
    assert {p.object for p in report.problems} == {f"commit/{head.commit_id}"}
    assert not shared.objects.has("commit", head.commit_id)


def test_an_unknown_remote(ann: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="no remote nowhere"):
        fsck(ann, context, remote="nowhere")


@pytest.mark.parametrize("name", ["refs/tags/v1", "refs/roots/tiny"])
@pytest.mark.parametrize("at", [0, 30, 64])
def test_a_flipped_bit_in_a_tag_or_root_is_healed(
    ann: Repository, context: Context, tmp_path: Path, name: str, at: int
) -> None:
    tag(ann, context, "v1")
    push(ann, context)
    file = ann.path / name
    good = file.read_bytes()
    flip(file, at)
    assert not fsck(open_repository(ann.path), context).is_clean
    assert fsck(open_repository(ann.path), context, repair_from="origin").problems == ()
    assert file.read_bytes() == good


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_flipped_bit_anywhere_in_a_log_is_healed(ann: Repository, context: Context, number: int) -> None:
    for score in (0.6, 0.7):
        evolve_sample(ann, "a", score=score)
    file = ann.path / f"refs/heads/a/{number:08d}"
    good = file.read_bytes()
    for at in range(0, len(good), 3):
        flip(file, at)
        assert not fsck(open_repository(ann.path), context).is_clean, at
        assert fsck(open_repository(ann.path), context, repair_from="origin").problems == (), at
        assert file.read_bytes() == good, at


@pytest.mark.parametrize("data", [b"", b"{"])
def test_entries_next_to_each_other_are_healed_where_commits_tell_the_order(
    ann: Repository, context: Context, data: bytes
) -> None:
    for score in (0.6, 0.7, 0.8, 0.9):
        evolve_sample(ann, "a", score=score)
    lost = [ann.path / f"refs/heads/a/{number:08d}" for number in (3, 4, 5)]
    good = [file.read_bytes() for file in lost]
    for file in lost:
        file.write_bytes(data)
    report = fsck(open_repository(ann.path), context, repair_from="origin")
    assert report.problems == ()
    assert [file.read_bytes() for file in lost] == good
    assert len(Refs(ann.store).log("a")) == 6


def test_a_tombstone_comes_back_from_a_copy(ann: Repository, context: Context, tmp_path: Path) -> None:
    purge(ann, context, "a")
    shutil.copytree(ann.path, tmp_path / "copy")
    (ann.path / "refs/purged/a/00000001").write_bytes(b"")
    assert not fsck(open_repository(ann.path), context).is_clean
    assert fsck(open_repository(ann.path), context, repair_from="copy").problems == ()


def test_a_rule_made_narrower_later_is_a_warning(repo: Repository, context: Context, tmp_path: Path) -> None:
    add_task(repo, context, "sklearn:digits", TaskOptions(name="a"))
    evolve_sample(repo, "a", score=0.5, seed=1)
    add_sample_task(repo, "b")
    model = load_system(repo).heads["a"].commit.model
    evolve_sample(repo, "b", score=0.6, parent=model, trains=("embedding",), seed=2)
    rm_task(repo, context, "a")
    add_task(repo, context, "sklearn:digits", TaskOptions(name="a", private=True))
    report = fsck(repo, context)
    assert (report.is_clean, report.problems) == (True, ())
    assert report.warnings
    assert "when that was allowed" in report.warnings[0].message
    remote.add(repo, context, "hub", "hub")
    reports = {task.task: task.outcome for task in push(repo, context, "hub").tasks}
    assert reports == {"a": "skipped", "b": "skipped"}


def test_what_was_learned_after_a_rule_was_made_is_damage(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a", AccessRule.only(["a"]))
    evolve_sample(repo, "a", score=0.5, seed=1)
    add_sample_task(repo, "b")
    model = load_system(repo).heads["a"].commit.model
    evolve_sample(repo, "b", score=0.6, parent=model, trains=("embedding",), seed=2)
    assert {problem.kind for problem in fsck(repo, context).problems} == {"access"}
    assert object_key("model", model)


class TestFromAThirdCopy:
    """Who heals a remote from another copy need not have looked at it lately."""

    @pytest.fixture
    def lost(self, ann: Repository, bob: Repository, context: Context) -> Path:
        """Returns a component of ann's newest model, which bob knows nothing of, damaged over there."""
        evolve_sample(ann, "a", score=0.9, seed=77)
        push(ann, context)
        model = load_system(ann).heads["a"].model
        assert model is not None
        file = Path(ann.config.remotes["origin"].url) / object_key("component", model.component("head").id)
        flip(file)
        assert bob.worktree.is_dir()
        return file

    def test_it_is_fetched_from_first(self, ann: Repository, bob: Repository, context: Context, lost: Path) -> None:
        assert not fsck(bob, context, remote="origin").is_clean
        report = fsck(bob, context, remote="origin", repair_from=str(ann.worktree))
        assert (report.problems, len(report.repaired)) == ((), 1)
        assert hash_bytes(lost.read_bytes()) == f"{lost.parent.name}{lost.name.split('.')[0]}"

    @pytest.mark.parametrize("kinds", [("component",), ("component", "model"), ("component", "model", "commit")])
    def test_one_pass_restores_all_though_nothing_can_be_fetched(
        self, ann: Repository, bob: Repository, context: Context, kinds: tuple[str, ...]
    ) -> None:
        shared, before = Path(ann.config.remotes["origin"].url), set(ann.store.list("objects"))
        evolve_sample(ann, "a", score=0.9, seed=77)
        push(ann, context)
        for key in set(ann.store.list("objects")) - before:
            if key.split("/")[1] in kinds:
                (shared / key).unlink()
        assert fsck(bob, context, remote="origin", repair_from=str(ann.worktree)).problems == ()

    def test_what_is_not_sent_for_its_readers_sake_is_said(
        self, ann: Repository, bob: Repository, context: Context
    ) -> None:
        add_sample_task(ann, "d")
        evolve_sample(ann, "d", score=0.9, seed=78)
        push(ann, context)
        model = load_system(ann).heads["d"].model
        assert model is not None
        (Path(ann.config.remotes["origin"].url) / object_key("component", model.component("head").id)).unlink()
        (problem,) = fsck(bob, context, remote="origin", repair_from=str(ann.worktree)).problems
        assert "mu2net merge origin, then again" in problem.message
        merge(bob, context, "origin")
        bob = open_repository(bob.worktree)
        assert fsck(bob, context, remote="origin", repair_from=str(ann.worktree)).is_clean


def test_a_healed_remote_is_behind_no_more(ann: Repository, context: Context, tmp_path: Path) -> None:
    for file in files(tmp_path / "shared", "refs/heads/a"):
        file.unlink()
    with pytest.raises(CorruptObjectError, match="is behind what was seen of it"):
        fetch(ann, context)
    assert status(ann, context).remotes[0].lost == ("entry 1 of a",)
    assert fsck(ann, context, remote="origin", repair_from=str(ann.worktree)).is_clean
    assert status(ann, context).remotes[0].lost == ()


def test_another_repository_in_its_place_gets_nothing(ann: Repository, context: Context, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "shared")
    other = sample_repository(tmp_path / "other", identity="b" * 32)
    add_sample_task(other, "z")
    evolve_sample(other, "z", score=0.5, seed=1000)
    remote.add(other, context, "origin", "shared")
    push(other, context)
    before = files(tmp_path / "shared", "")
    with pytest.raises(ConflictError, match="is another repository"):
        fsck(ann, context, remote="origin", repair_from=str(ann.worktree))
    assert files(tmp_path / "shared", "") == before
