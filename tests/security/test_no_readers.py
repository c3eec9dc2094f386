"""A remote of which nobody is named as a reader is for everybody, however that is written down."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from mu2net_core.objects import AccessRule
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.testing.attacks.forging import leaks
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import outcomes


@pytest.fixture
def ann(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    repo = sample_repository(tmp_path / "ann")
    for task, rule in (("open", AccessRule()), ("secret", AccessRule.only(["secret"]))):
        add_sample_task(repo, task, rule)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    return repo


def test_an_empty_list_in_the_settings_keeps_private_work_here(ann: Repository, tmp_path: Path) -> None:
    named = Remote(name="shared", url=str(tmp_path / "shared"), readers=("somebody",))
    ann.update_config(lambda config: config.with_remote(named))
    file = ann.path / "config.toml"
    file.write_text(re.sub(r"readers = \[[^]]*\]", "readers = []", file.read_text()))
    remote = open_repository(ann.path).config.remotes["shared"]
    assert outcomes(push(ann, remote)) == {"open": "new", "secret": "skipped"}
    assert leaks(remote, "secret") == set()


def test_so_does_an_empty_tuple(ann: Repository, tmp_path: Path) -> None:
    remote = Remote(name="shared", url=str(tmp_path / "shared"), readers=())
    assert outcomes(push(ann, remote)) == {"open": "new", "secret": "skipped"}
    assert leaks(remote, "secret") == set()
