from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.models.cache import info, keep_bounded, prune
from mu2net_core.api.settings.sizes import parse_size
from mu2net_core.api.setup.config import get, set_
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import AccessDeniedError, InvalidInputError
from mu2net_core.objects import object_key
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import evolve_sample


@pytest.fixture
def full(bob: Repository) -> Repository:
    """Returns a clone that has used every model."""
    for head in load_system(bob).heads.values():
        for ref in head.model.components:
            bob.objects.component(ref.id)
    return bob


def head(repo: Repository, task: str) -> str:
    return load_system(repo).heads[task].model.component("head").id


def test_what_a_remote_has_is_cached_and_the_rest_is_kept(full: Repository, context: Context) -> None:
    evolve_sample(full, "a", score=0.9, seed=42)
    report = info(full, context)
    assert (report.num_cached, report.num_kept) == (5, 1)  # two shared layers, three heads
    assert report.cached_bytes > report.kept_bytes > 0
    assert [(share.name, share.num_components) for share in report.remotes] == [("origin", 5)]
    push(full, context)
    assert info(full, context).num_kept == 0


def test_the_longest_unused_goes_first_and_comes_back(full: Repository, context: Context) -> None:
    for number, task in enumerate("bac"):
        os.utime(full.store.local_path(object_key("component", head(full, task))), (number, number))
    whole = info(full, context).cached_bytes
    size = full.store.size(object_key("component", head(full, "b")))
    dry = prune(full, context, f"{whole - size - 1}B", dry_run=True)
    assert (dry.num_pruned, full.objects.has("component", head(full, "b"))) == (2, True)
    report = prune(full, context, f"{whole - size - 1}B")
    assert (report.num_pruned, report.cached_bytes, report.num_unsure) == (2, whole - 2 * size, 0)
    assert [full.objects.has("component", head(full, task)) for task in "abc"] == [False, False, True]
    full = open_repository(full.worktree)
    assert full.objects.component(head(full, "a"))
    assert fsck(full, context).problems == ()


def test_using_a_component_makes_it_young(full: Repository, context: Context) -> None:
    for task in "abc":
        os.utime(full.store.local_path(object_key("component", head(full, task))), (1, 1))
    full.objects.component(head(full, "a"))
    prune(full, context, f"{info(full, context).cached_bytes - 1}B")
    assert full.objects.has("component", head(full, "a"))


def test_what_was_never_pushed_stays(full: Repository, context: Context) -> None:
    evolve_sample(full, "a", score=0.9, seed=42)
    prune(full, context, "0")
    assert info(full, context).num_kept == 1
    assert full.objects.has("component", head(full, "a"))
    assert info(full, context).num_cached == 0


@pytest.mark.parametrize("spoil", ["gone", "cut", "damaged", "link", "unreachable"])
def test_what_a_remote_does_not_confirm_stays(full: Repository, context: Context, tmp_path: Path, spoil: str) -> None:
    file = tmp_path / "shared" / object_key("component", head(full, "a"))
    if spoil == "unreachable":
        (tmp_path / "shared").rename(tmp_path / "elsewhere")
    elif spoil == "damaged":
        data = file.read_bytes()
        file.write_bytes(data[:70] + bytes([data[70] ^ 255]) + data[71:])
    elif spoil == "link":
        file.symlink_to(file.rename(tmp_path / "away"))
    elif spoil == "gone":
        file.unlink()
    else:
        file.write_bytes(b"x")
    report = prune(full, context, "0")
    assert full.objects.has("component", head(full, "a"))
    assert report.num_unsure == (5 if spoil == "unreachable" else 1)
    assert report.errors == ()


def test_what_is_damaged_here_stays(full: Repository, context: Context) -> None:
    file = full.store.local_path(object_key("component", head(full, "a")))
    file.write_bytes(bytes(file.stat().st_size))
    report = prune(full, context, "0")
    assert (report.num_pruned, report.num_unsure) == (4, 1)
    assert file.exists()


def test_why_a_remote_could_not_be_asked_is_said(
    full: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = LocalStore.size

    def denied(store: LocalStore, key: str) -> int:
        if store.root != full.path:
            raise AccessDeniedError("Cannot look for it: 403.")
        return size(store, key)

    monkeypatch.setattr(LocalStore, "size", denied)
    report = prune(full, context, "0")
    assert (report.num_pruned, report.errors) == (0, ("Cannot look for it: 403.",))


def test_without_a_partial_remote_nothing_is_cached(ann: Repository, context: Context) -> None:
    ann.update_config(lambda config: config.with_remote(replace(config.remotes["origin"], partial=False)))
    assert info(ann, context).num_cached == 0
    assert prune(ann, context, "0").num_pruned == 0


def test_a_setting_keeps_it_bounded(ann: Repository, full: Repository, context: Context) -> None:
    assert get(full, context, "cache.max_size").value == ""
    keep_bounded(full, context)
    assert info(full, context).num_cached == 5
    set_(full, context, "cache.max_size", "1kB")
    pull(full, context)
    assert info(full, context).cached_bytes <= 1000


def test_a_bound_that_cannot_be_kept_is_a_warning(full: Repository, context: Context) -> None:
    warnings: list[str] = []
    context = replace(context, environ={"MU2NET_CACHE_MAX_SIZE": "much"}, warn=warnings.append)
    keep_bounded(full, context)
    assert "Not a size: 'much'" in warnings[0]


def test_what_is_no_size_is_refused(full: Repository, context: Context) -> None:
    with pytest.raises(InvalidInputError, match=r"cache\.max_size: not a size: 'much'\. Expected a number and B"):
        set_(full, context, "cache.max_size", "much")
    with pytest.raises(InvalidInputError, match="Not a size"):
        prune(full, context, "-1")


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("12", 12), ("2GB", 2 * 10**9), ("1.5 kB", 1500), ("1GiB", 2**30), ("3m", 3 * 10**6)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
