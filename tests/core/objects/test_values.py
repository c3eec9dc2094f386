"""Access rules, names, ids, commits and the system: what they allow and what they refuse."""

from __future__ import annotations

import itertools

import pytest

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import (
    PUBLIC,
    AccessRule,
    Architecture,
    Classes,
    Commit,
    ComponentRef,
    Head,
    Image,
    Model,
    Slice,
    System,
    Task,
    Training,
    check_name,
    check_oid,
    component_rule,
    hash_bytes,
    intersect,
    object_key,
    parse_object_key,
)
from mu2net_core.objects.oid import KINDS
from mu2net_core.testing.building.samples import sample_task

A, B, AB, NOBODY = AccessRule.only("a"), AccessRule.only("b"), AccessRule.only("ab"), AccessRule(readers=())

IMAGE = Image(height=1, width=1, channels=1)
CLASSES = Classes(names=("a",))


@pytest.mark.parametrize(
    ("rule", "reader", "expected"),
    [
        (PUBLIC, PUBLIC, True),
        (PUBLIC, A, True),
        (A, PUBLIC, False),
        (A, A, True),
        (A, B, False),
        (A, AB, True),
        (AB, A, True),
        (NOBODY, A, False),
        (NOBODY, PUBLIC, False),
    ],
)
def test_a_task_reads_what_one_of_its_groups_may(rule: AccessRule, reader: AccessRule, expected: bool) -> None:
    assert rule.allows(reader) is expected


@pytest.mark.parametrize(
    ("rule", "audience", "expected"),
    [
        (PUBLIC, PUBLIC, True),
        (PUBLIC, AB, True),
        (A, PUBLIC, False),
        (A, A, True),
        (A, AB, False),
        (AB, A, True),
        (NOBODY, A, False),
        (NOBODY, PUBLIC, False),
    ],
)
def test_a_remote_holds_what_all_its_readers_may(rule: AccessRule, audience: AccessRule, expected: bool) -> None:
    assert rule.allows_all(audience) is expected


def test_rules_intersect_in_any_order() -> None:
    for rules in itertools.permutations([PUBLIC, A, AB]):
        assert intersect(rules) == A
    assert intersect([]) == intersect([PUBLIC]) == PUBLIC
    assert intersect([A, B]) == NOBODY


def test_a_component_is_guarded_by_all_who_trained_it() -> None:
    rules = {"open": PUBLIC, "one": A, "two": B}
    assert component_rule([], rules) == component_rule(["open"], rules) == PUBLIC
    assert component_rule(["open", "one"], rules) == A
    assert component_rule(["one", "two"], rules) == NOBODY
    assert component_rule(["forgotten"], rules) == NOBODY


def test_readers_are_sorted_and_distinct() -> None:
    for readers in (("b", "a"), ("a", "a")):
        with pytest.raises(InvalidInputError, match="sorted and distinct"):
            AccessRule(readers=readers)
    assert AccessRule.only(["b", "a", "b"]).readers == ("a", "b")


@pytest.mark.parametrize("name", ["a", "cmaterdb/bangla", "a.b-c_d+e", "0", "1234567", "123456789", "a/b/c/d/e/f/g/h"])
def test_names_that_are_safe_everywhere(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".a", "-a", "a b", "A", "é", "a\n", "a\0", "a:b", "a\\b"),
        *("a.", "12345678", "a/12345678", "con", "nul.txt", "a/aux", "a" * 101, "/".join("abcdefghi"), "a~1", "a@{1}"),
    ],
)
def test_names_that_are_not(name: str) -> None:
    with pytest.raises(InvalidInputError, match="Not a task name"):
        check_name(name, "task name")


def test_ids_and_keys() -> None:
    oid = hash_bytes(b"mu2net")
    assert oid == "3d324f646cba0b7751f56891e52b275ef1e6d7a4ac56af25d7a96ebeaa5008e7"
    assert hash_bytes(memoryview(b"mu2net")) == oid
    for kind in KINDS:
        assert parse_object_key(object_key(kind, oid)) == (kind, oid)
    assert object_key("component", oid) == f"objects/component/{oid[:2]}/{oid[2:]}.zarr.zip"
    assert object_key("task", oid) == f"objects/task/{oid[:2]}/{oid[2:]}.json"


@pytest.mark.parametrize("oid", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "../" + "a" * 61])
def test_what_is_no_id(oid: str) -> None:
    with pytest.raises(InvalidInputError, match="Not an object id"):
        check_oid(oid)


@pytest.mark.parametrize(
    "key",
    [
        f"objects/task/aa/{'a' * 62}.zarr.zip",
        f"objects/component/aa/{'a' * 62}.json",
        f"objects/other/aa/{'a' * 62}.json",
        f"objects/task/aa/{'a' * 61}.json",
        f"objects/task/{'a' * 62}.json",
        "refs/tags/v1",
        "",
    ],
)
def test_keys_that_hold_no_object(key: str) -> None:
    assert parse_object_key(key) is None


def test_values_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="parents must be distinct"):
        Commit(task="a", task_id="b" * 64, parents=("c", "c"), started_at="", finished_at="")
    with pytest.raises(InvalidInputError, match="Not a task name"):
        Commit(task="A", task_id="b" * 64, started_at="", finished_at="")
    with pytest.raises(ValueError, match="expected 0 <= start < stop"):
        Slice(split="train", start=3, stop=3)
    with pytest.raises(ValueError, match="not be negative"):
        Training(steps=-1, examples=0)
    with pytest.raises(ValueError, match="needs the splits"):
        Task(name="a", source="s", splits={}, input=IMAGE, output=CLASSES, metric="accuracy")


def test_commits_count_over_agents() -> None:
    commit = Commit(
        task="a",
        task_id="b" * 64,
        parents=("c", "d"),
        selections={"m": {"x": 2, "y": 3}},
        started_at="",
        finished_at="",
    )
    assert commit.times_selected("m") == 5
    assert commit.times_selected("other") == 0
    assert commit.is_merge


def _model(task: str | None, **trained_by: tuple[str, ...]) -> Model:
    refs = tuple(
        ComponentRef(
            id=hash_bytes(name.encode()),
            name=name,
            num_params=1,
            size_bytes=1,
            trainable=True,
            operation="root",
            training={t: Training(steps=1, examples=1) for t in tasks},
        )
        for name, tasks in trained_by.items()
    )
    parent = None if task is None else "p" * 64
    return Model(
        task=task, parent=parent, architecture=Architecture(name="x", config={}), components=refs, hyperparameters={}
    )


def _head(name: str, model: Model | None) -> Head:
    commit = Commit(task=name, task_id="t" * 64, model=model and f"model-{name}", started_at="", finished_at="")
    return Head(commit_id=f"commit-{name}", commit=commit, task=sample_task(name), model=model)


def test_the_system_knows_its_models_and_who_may_use_them() -> None:
    root = _model(None, embedding=(), head=())
    public = _model("open", embedding=(), head=("open",))
    hidden = _model("secret", embedding=("open",), head=("secret",))
    old = _model("open", embedding=(), head=("open",))
    system = System(
        heads={"open": _head("open", public), "secret": _head("secret", hidden), "new": _head("new", None)},
        roots={"root": root},
        rules={"open": PUBLIC, "secret": AccessRule.only(["secret"])},
        ancestors={"old": old},
    )
    assert set(system.retained()) == {"root", "model-open", "model-secret"}
    assert [system.model(oid) for oid in ("root", "model-open", "old", "none")] == [root, public, old, None]
    assert [system.may_use("open", model) for model in (root, public, hidden)] == [True, True, False]
    assert [system.may_use("secret", model) for model in (root, public, hidden)] == [True, True, True]
    assert hidden.trained_by == {"open", "secret"}
    assert hidden.component("head") is hidden.components[1]
    assert hidden.component("none") is None
    assert sample_task("a").output.size == 2


def test_a_task_whose_rules_exclude_each_other_still_may_use_what_it_taught() -> None:
    # It was private, was removed, and was added again for a group: now nobody else may read what it knows.
    model = _model("a", embedding=(), head=("a",))
    rules = {"a": AccessRule(readers=()), "b": AccessRule.only(["lab"])}
    system = System(heads={"a": _head("a", model)}, roots={}, rules=rules, ancestors={})
    assert system.may_use("a", model)
    assert not system.may_use("b", model)
