"""Whom a working copy trusts: what is verified, what is pulled, and what stays out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup import config
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create
from mu2net_core.api.signing.keys import fingerprint, read_allowed_keys
from mu2net_core.api.signing.signing import put_commit
from mu2net_core.api.signing.trust import Trust
from mu2net_core.api.signing.verify import verify
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.history.merging import merge as merge_commits
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import outcomes
from mu2net_core.testing.worlds.signers import KEYS, allow, public, sign_as, signed


@pytest.fixture
def allowed(context: Context) -> Path:
    """Returns a file that allows ann's key."""
    return allow(context, "ann")


@pytest.fixture
def ann(repo: Repository, context: Context) -> Repository:
    """Returns a working copy that shares the signed tasks a and b."""
    sign_as(repo, context, "ann")
    for task, score in (("a", 0.5), ("b", 0.6)):
        signed(repo, context, task)
        signed(repo, context, task, score=score, seed=ord(task))
    remote.add(repo, context, "origin", "shared")
    push(repo, context)
    return repo


@pytest.fixture
def bob(ann: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a clone of what ann shares, which signs nothing itself."""
    clone("shared", "bob", context)
    return open_repository(tmp_path / "bob")


def head(repo: Repository, task: str) -> str | None:
    state = repo.refs.head(task)
    return None if state is None else state.commit


class TestVerify:
    def test_names_who_signed(self, ann: Repository, context: Context, allowed: Path) -> None:
        report = verify(ann, context, "a", keys=allowed)
        assert report.is_good
        assert [(i.kind, i.name, i.state, i.signer) for i in report.items] == [
            ("commit", "a", "signed", "ann@example.org")
        ] * 2
        assert {i.key for i in report.items} == {fingerprint(KEYS["ann"].public_key().public_bytes_raw().hex())}

    def test_tells_what_is_not_signed_from_what_another_key_signed(
        self, ann: Repository, context: Context, allowed: Path
    ) -> None:
        evolve_sample(ann, "a", score=0.7)
        sign_as(ann, context, "eve")
        signed(ann, context, "a", score=0.8)
        report = verify(ann, context, "a", keys=allowed)
        assert [item.state for item in report.items] == ["unknown-key", "unsigned", "signed", "signed"]
        assert not report.is_good
        assert verify(ann, context, "a").items[0].state == "signed"

    def test_looks_at_all_heads_and_tags(self, ann: Repository, context: Context, allowed: Path) -> None:
        create(ann, context, "v1")
        config.set_(ann, context, "sign.key", "")
        create(ann, context, "v2")
        report = verify(ann, context, keys=allowed)
        assert [(i.kind, i.name, i.state) for i in report.items if i.kind == "tag"] == [
            ("tag", "v1", "signed"),
            ("tag", "v2", "unsigned"),
        ]
        assert {item.name for item in report.items if item.kind == "commit"} == {"a", "b"}
        assert [item.name for item in verify(ann, context, "v1", keys=allowed).items] == ["v1"]

    def test_a_signed_tag_under_another_name_is_bad(self, ann: Repository, context: Context, allowed: Path) -> None:
        ann.refs.create_tag("v9", create(ann, context, "v1").snapshot)
        (item,) = verify(ann, context, "v9", keys=allowed).items
        assert (item.state, item.reason) == ("bad", "its snapshot was signed as v1")

    def test_a_commit_whose_content_is_not_what_was_signed_is_bad(self, ann: Repository, context: Context) -> None:
        state = ann.refs.head("a")
        forged = replace(ann.objects.commit(state.commit), parents=(state.commit,), message="better than ever")
        ann.refs.append("a", ann.objects.put(forged), after=state)
        assert verify(ann, context, "a").items[0].state == "bad"

    def test_the_setting_names_the_keys(self, ann: Repository, context: Context, allowed: Path) -> None:
        assert verify(ann, context, "a").keys is None
        config.set_(ann, context, "pull.require_signed", str(allowed))
        assert verify(ann, context, "a").keys == str(allowed)

    def test_a_root_cannot_be_signed(self, ann: Repository, context: Context) -> None:
        with pytest.raises(InvalidInputError, match="'tiny' is a model: only tasks, commits and tags are signed"):
            verify(ann, context, "tiny")


class TestMerges:
    def split(self, repo: Repository, context: Context, *, sign_right: bool = True) -> tuple[str, str]:
        """Returns two commits that follow the head of a, the first signed."""
        base = repo.objects.commit(head(repo, "a"))
        left = put_commit(repo, context, replace(base, parents=(head(repo, "a"),), message="left", signature=None))
        right = replace(base, parents=(head(repo, "a"),), message="right", signature=None)
        return left, put_commit(repo, context, right) if sign_right else repo.objects.put(right)

    def test_what_joining_signed_commits_gives_counts_as_signed(
        self, ann: Repository, context: Context, allowed: Path
    ) -> None:
        merged = ann.objects.put(merge_commits(ann.objects, self.split(ann, context))[1])
        trust = Trust(objects=ann.objects, identity=ann.identity, keys=read_allowed_keys(allowed))
        assert (trust.commit(merged).state, trust.refusal(merged, None)) == ("merge", None)

    def test_what_joins_an_unsigned_commit_does_not(self, ann: Repository, context: Context, allowed: Path) -> None:
        left, right = self.split(ann, context, sign_right=False)
        merged = ann.objects.put(merge_commits(ann.objects, [left, right])[1])
        trust = Trust(objects=ann.objects, identity=ann.identity, keys=read_allowed_keys(allowed))
        assert trust.commit(merged).reason == f"joins {right[:10]}, which is not signed"
        assert trust.commit(merged).state == "unsigned"
        assert trust.refusal(merged, right) is None  # what is ours already need not be

    @pytest.mark.parametrize(
        "change", [{"message": "mine"}, {"model": None}, {"removed": True}, {"iteration": 9}], ids=str
    )
    def test_what_differs_from_it_in_anything_does_not(
        self, ann: Repository, context: Context, allowed: Path, change: dict[str, object]
    ) -> None:
        genuine = merge_commits(ann.objects, self.split(ann, context))[1]
        forged = ann.objects.put(replace(genuine, **change))  # type: ignore[arg-type]
        trust = Trust(objects=ann.objects, identity=ann.identity, keys=read_allowed_keys(allowed))
        assert trust.commit(forged).reason == "is no merge that its parents give"


class TestPull:
    def test_takes_signed_work_over(self, ann: Repository, bob: Repository, context: Context, allowed: Path) -> None:
        signed(ann, context, "a", score=0.7)
        rm_task(ann, context, "b")
        push(ann, context)
        assert outcomes(pull(bob, context, require_signed=allowed)) == {"a": "updated", "b": "removed"}

    def test_leaves_a_task_as_a_whole_where_it_is_and_moves_the_others(
        self, ann: Repository, bob: Repository, context: Context, allowed: Path
    ) -> None:
        before = head(bob, "a")
        signed(ann, context, "a", score=0.7)
        bad = evolve_sample(ann, "a", score=0.75).commit
        signed(ann, context, "a", score=0.8)
        signed(ann, context, "b", score=0.9)
        push(ann, context)
        result = pull(bob, context, require_signed=allowed)
        assert outcomes(result) == {"a": "refused", "b": "updated"}
        assert result.tasks[0].reason == f"commit {bad[:10]} is not signed"
        assert (head(bob, "a"), head(bob, "b")) == (before, head(ann, "b"))

    def test_names_the_key_that_is_not_allowed(
        self, ann: Repository, bob: Repository, context: Context, allowed: Path
    ) -> None:
        sign_as(ann, context, "eve")
        reset(ann, context, "a", "@{1}")
        push(ann, context)
        reason = pull(bob, context, require_signed=allowed).tasks[0].reason
        assert fingerprint(KEYS["eve"].public_key().public_bytes_raw().hex()) in reason

    def test_what_diverged_is_joined_if_theirs_is_signed(
        self, ann: Repository, bob: Repository, context: Context, allowed: Path
    ) -> None:
        evolve_sample(bob, "a", score=0.6, seed=5)
        signed(ann, context, "a", score=0.7)
        push(ann, context)
        config.set_(bob, context, "pull.require_signed", str(allowed))
        assert outcomes(pull(bob, context))["a"] == "merged"
        assert outcomes(pull(bob, context))["a"] == "ahead"

    def test_the_setting_binds_merge_and_push_too(
        self, ann: Repository, bob: Repository, context: Context, allowed: Path
    ) -> None:
        mine = evolve_sample(bob, "a", score=0.6, seed=5).commit
        evolve_sample(ann, "a", score=0.7)
        push(ann, context)
        config.set_(bob, context, "pull.require_signed", str(allowed))
        assert outcomes(push(bob, context))["a"] == "refused"
        assert outcomes(merge(bob, context))["a"] == "refused"
        assert head(bob, "a") == mine

    def test_a_tag_that_is_not_signed_stays_out(
        self, ann: Repository, bob: Repository, context: Context, allowed: Path
    ) -> None:
        create(ann, context, "v1")
        config.set_(ann, context, "sign.key", "")
        create(ann, context, "v2")
        push(ann, context)
        result = pull(bob, context, require_signed=allowed)
        assert [(tag.name, tag.outcome) for tag in result.tags] == [("v1", "new"), ("v2", "refused")]
        assert set(bob.refs.tags()) == {"v1"}
        assert verify(bob, context, "v1", keys=allowed).is_good

    def test_what_learned_from_a_refused_task_stays_out(
        self, ann: Repository, context: Context, allowed: Path, tmp_path: Path
    ) -> None:
        add_sample_task(ann, "c")
        teacher = ann.objects.commit(evolve_sample(ann, "c", score=0.5).commit).model
        base = ann.refs.head("a")
        done = evolve_sample(ann, "a", score=0.9, parent=teacher)
        commit = put_commit(ann, context, replace(ann.objects.commit(done.commit), parents=(base.commit,)))
        ann.store.delete(f"refs/heads/a/{done.number:08d}")
        ann.refs._known.clear()
        ann.refs.append("a", commit, after=base)
        push(ann, context)
        result = clone("shared", "carl", context, require_signed=allowed)
        reasons = {report.task: report.reason for report in result.tasks}
        assert "is not signed" in reasons["c"]
        assert reasons["a"].startswith("it learned from c, whose commit ")
        assert open_repository(tmp_path / "carl").refs.tasks() == ("b",)


class TestClone:
    def test_keeps_to_it_later(self, ann: Repository, context: Context, allowed: Path, tmp_path: Path) -> None:
        evolve_sample(ann, "b", score=0.9)
        push(ann, context)
        result = clone("shared", "carl", context, require_signed=Path("allowed"))
        assert {report.task: report.outcome for report in result.tasks} == {"a": "new", "b": "refused"}
        carl = open_repository(tmp_path / "carl")
        assert carl.refs.tasks() == ("a",)
        evolve_sample(ann, "a", score=0.9)
        push(ann, context)
        assert outcomes(pull(carl, context)) == {"a": "refused", "b": "refused"}

    def test_without_a_file_of_keys_there_is_no_clone(self, ann: Repository, context: Context, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="no file of allowed keys"):
            clone("shared", "carl", context, require_signed=Path("nowhere"))
        assert not (tmp_path / "carl").exists()


class TestAllowedKeys:
    @pytest.mark.parametrize(
        ("line", "names"),
        [
            ("ann@example.org {ann}", ["ann@example.org"]),
            ("{ann} ann's laptop", ["ann's laptop"]),
            ('ann,bob namespaces="git,mu2*" {ann}', ["ann,bob"]),
            ("eve ssh-rsa AAAAB3NzaC1yc2E=\nann {ann}", ["ann"]),
            ('eve namespaces="git" {eve}\nann {ann}', ["ann"]),
            ('eve namespaces="!mu2net,*" {eve}\nann {ann}', ["ann"]),
            ('eve namespaces="*,!mu2*" {eve}\nann {ann}', ["ann"]),
            ('eve namespaces="!git" {eve}\nann {ann}', ["ann"]),
            ('ann namespaces="!git,*" {ann}', ["ann"]),
        ],
    )
    def test_are_read_as_ssh_writes_them(self, context: Context, line: str, names: list[str]) -> None:
        file = context.cwd / "keys"
        file.write_text(line.format(ann=public("ann"), eve=public("eve")))
        found = read_allowed_keys(file)
        assert list(found.names.values()) == names
        assert list(found.names) == [KEYS["ann"].public_key().public_bytes_raw().hex()]

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "No Ed25519 key"),
            ("ann ssh-rsa AAAAB3NzaC1yc2E=", "No Ed25519 key"),
            ("ann@example.org", "line 1 .*no public key in it"),
            ("\nann ssh-ed25519 AAAA", "line 2 .*cut off or damaged"),
            ('ann valid-before="2027" {ann}', "line 1 .*valid-before.* is not supported"),
            ('ann namespaces="mu2net",cert-authority {ann}', "is not supported"),
            ("ann cert-authority {ann}", "cert-authority.* is not supported"),
        ],
    )
    def test_that_cannot_be_right(self, context: Context, text: str, complaint: str) -> None:
        file = context.cwd / "keys"
        file.write_text(text.format(ann=public("ann")))
        with pytest.raises(InvalidInputError, match=complaint):
            read_allowed_keys(file)


def test_a_new_copy_has_no_opinion(tmp_path: Path, context: Context) -> None:
    repo = sample_repository(tmp_path / "fresh")
    add_sample_task(repo, "p", AccessRule.only(["p"]))
    assert not verify(repo, context).is_good
    assert verify(repo, context).keys is None


class TestPurge:
    def test_is_followed_only_if_it_is_signed(
        self, ann: Repository, bob: Repository, context: Context, allowed: Path
    ) -> None:
        before = head(bob, "b")
        config.set_(bob, context, "pull.follow_purges", "true")
        purge(ann, context, "a", remote="origin", settle=lambda: None)
        config.set_(ann, context, "sign.key", "")
        purge(ann, context, "b", remote="origin", settle=lambda: None)
        assert outcomes(pull(bob, context, require_signed=allowed)) == {"a": "removed", "b": "refused"}
        assert head(bob, "b") == before
