from __future__ import annotations

import pytest

from mu2net_core.search import Holdings, Member
from mu2net_core.testing.building.systems import SystemBuilder, sample_member, sample_ref

ROOT = sample_member(None, [sample_ref("embedding"), sample_ref("block")])


def model_of(task: str, *also_trained_by: str, block: str = "own") -> Member:
    """Returns a model on the root's embedding, with a block of its own or that of another."""
    own = sample_ref("head", task, oid=f"head-{task}")
    return sample_member(task, [sample_ref("embedding"), sample_ref("block", task, *also_trained_by, oid=block), own])


MINE = model_of("a")


def owned(builder: SystemBuilder, member: Member = MINE) -> set[str]:
    holdings = Holdings.of(builder.build(), "a")
    return {ref.name for ref in member.model.components if holdings.owns(member.model, ref)}


def with_other(other: Member, readers: list[str] | None = None) -> SystemBuilder:
    return SystemBuilder().root(ROOT).task("a", MINE).task("b", other, readers=readers)


def test_what_neither_a_root_nor_another_task_uses_is_the_tasks_own() -> None:
    assert owned(SystemBuilder().root(ROOT).task("a", MINE)) == {"block", "head"}
    assert owned(with_other(model_of("b", block="another"))) == {"block", "head"}
    assert owned(with_other(model_of("b", "a", block="own"))) == {"head"}


def test_what_a_child_of_the_same_iteration_trained_is_the_tasks_own_too() -> None:
    child = model_of("a", block="brand-new")
    assert owned(SystemBuilder().root(ROOT).task("a", MINE), child) == {"block", "head"}


def test_the_layers_of_another_tasks_model_are_never_the_tasks_own() -> None:
    other = model_of("b", block="another")
    assert owned(with_other(other), other) == set()
    hidden = with_other(other, readers=["b"])
    assert owned(hidden, other) == set()


def test_what_private_tasks_use_changes_nothing_for_a_public_one() -> None:
    seen, hidden = (Holdings.of(with_other(model_of("b", "a", block="own"), who).build(), "a") for who in (None, ["b"]))
    alone = Holdings.of(SystemBuilder().root(ROOT).task("a", MINE).build(), "a")
    assert hidden == alone != seen
    size = sum(ref.num_params for ref in MINE.model.components)
    assert hidden.share_of(MINE.model.components) == size
    assert seen.share_of(MINE.model.components) == pytest.approx(size - 20 / 2)  # embedding and block


def test_what_a_task_may_use_but_not_name_changes_nothing_either() -> None:
    other = model_of("b", "a", block="own")
    builder = SystemBuilder().root(ROOT).task("b", other, readers=["lab"]).task("a", MINE, readers=["lab", "shop"])
    assert builder.build().may_use("a", other.model)
    assert owned(builder) == {"block", "head"}
    among_us = SystemBuilder().root(ROOT).task("b", other, readers=["lab"]).task("a", MINE, readers=["lab"])
    assert owned(among_us) == {"head"}
