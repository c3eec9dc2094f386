"""What others say a component was trained with is compared with what it tells itself before anything is built on it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import clone_of, model_of


@pytest.fixture
def bob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Returns a partial clone, where a model of open holds what only secret may use, and does not tell so."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    team = Remote(name="team", url=str(tmp_path / "team"), readers=("secret",), partial=True)
    ann = sample_repository(tmp_path / "ann")
    for task, rule in (("open", AccessRule()), ("secret", AccessRule.only(["secret"]))):
        add_sample_task(ann, task, rule)
        evolve_sample(ann, task, score=0.5, trains=("embedding", "head"), seed=ord(task[0]))
    push(ann, team)
    there, private = Forger.into(team), ann.objects.model(model_of(ann, "secret")).component("embedding")
    model = replace(there.model("open"), parent=model_of(ann, "open"), score=None)
    forged = there.naming(model, private.id, {}, size_bytes=private.size_bytes)
    there.move("open", there.next("open", model=there.put(forged)))
    return clone_of(team, tmp_path / "bob")


def test_nothing_is_built_on_a_model_that_hides_its_training(bob: Repository) -> None:
    parts = bob.objects.model(model_of(bob, "open")).components
    for _ in range(2):  # it is here when it is asked for again
        with pytest.raises(CorruptObjectError, match="it hides that data of secret trained its embedding") as caught:
            Workspace.of(bob, "pub").bring(parts)
        assert "mu2net fsck" in (caught.value.hint or "")


def test_an_honest_one_beside_it_is(bob: Repository) -> None:
    parts = bob.objects.model(model_of(bob, "secret")).components
    Workspace.of(bob, "pub").bring(parts)
    assert all(bob.objects.has("component", ref.id) for ref in parts)
