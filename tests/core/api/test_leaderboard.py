from __future__ import annotations

import pytest

from mu2net_core.api.looking.leaderboard import leaderboard
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.repo import Repository, load_system, visible_snapshot
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def test_the_system_now_and_at_a_tag(repo: Repository) -> None:
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5)
    repo.refs.create_tag("before", repo.objects.put(visible_snapshot(load_system(repo), "cats")))
    evolve_sample(repo, "cats", score=0.75)
    add_sample_task(repo, "dogs")
    assert [(row.task, row.validation, row.iterations) for row in leaderboard(repo).rows] == [
        ("cats", 0.75, 2),
        ("dogs", None, 0),
    ]
    assert [(row.task, row.validation) for row in leaderboard(repo, at="before").rows] == [("cats", 0.5)]


def test_only_a_snapshot_is_a_whole_system(repo: Repository) -> None:
    add_sample_task(repo, "cats")
    with pytest.raises(InvalidInputError, match="'cats' is a commit; expected a tag or a snapshot"):
        leaderboard(repo, at="cats")
    with pytest.raises(NotFoundError, match="There is no tag or snapshot 'v9'") as error:
        leaderboard(repo, at="v9")
    assert error.value.hint == "See `mu2net tag`."
