from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.errors import NotFoundError
from mu2net_core.repo import Remote, Repository, create_repository
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.remotes.prefetch import bring_components, bring_models
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.reports import Counter, Progress
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.testing.building.samples import (
    LAYERS,
    SAMPLE_IDENTITY,
    add_sample_task,
    evolve_sample,
    sample_repository,
)
from mu2net_core.testing.worlds.sharing import model_of


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    """Returns a partial clone of two tasks."""
    shared = sample_repository(tmp_path / "shared", bare=True)
    for task in ("a", "b"):
        add_sample_task(shared, task)
        evolve_sample(shared, task, score=0.5, trains=LAYERS, seed=ord(task))
    repo = create_repository(tmp_path / "here", preset="vit-ti0", identity=SAMPLE_IDENTITY)
    origin = Remote(name="origin", url=str(shared.path))
    repo.update_config(lambda config: config.with_remote(origin))
    attach(repo)
    fetch(repo, connect(origin))
    tracking = read_tracking(repo.state, origin)
    adopt(repo, tracking, tracking.heads, Policy())
    return repo


def test_one_model_comes_and_nothing_else(here: Repository) -> None:
    seen: list[Progress] = []
    bring_models(here, [model_of(here, "a")], what="a", counter=Counter(seen.append))
    wanted = {ref.id: ref.size_bytes for ref in here.objects.model(model_of(here, "a")).components}
    assert set(here.objects.ids("component")) == set(wanted)
    assert (seen[-1].num_objects, seen[-1].size_bytes) == (len(wanted), sum(wanted.values()))
    assert {(progress.total_objects, progress.total_bytes) for progress in seen} == {(3, sum(wanted.values()))}


def test_what_is_here_does_not_come_again(here: Repository) -> None:
    refs = here.objects.model(model_of(here, "a")).components
    bring_components(here, refs[:2], counter=Counter())
    counter = Counter()
    bring_components(here, [*refs, *refs], counter=counter)
    assert counter.num_objects == 1


def test_one_that_is_nowhere_is_named(here: Repository, tmp_path: Path) -> None:
    refs = here.objects.model(model_of(here, "a")).components
    for file in (tmp_path / "shared" / "objects" / "component").rglob(f"{refs[1].id[2:]}*"):
        file.unlink()
    with pytest.raises(NotFoundError, match=f"component {refs[1].id} is not here and not on origin"):
        bring_components(here, refs, counter=Counter())
