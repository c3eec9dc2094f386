"""Where the agents of a pool run: cores and GPUs of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.pool.placement import gpus_of, placements


@pytest.mark.parametrize(
    ("agents", "cores", "shares"),
    [
        (1, (0, 1, 2), [(0, 1, 2)]),
        (2, (0, 1), [(0,), (1,)]),
        (2, (4, 5, 6, 7, 9), [(4, 5), (6, 7, 9)]),
        (3, (0, 1), [(0,), (1,), (0,)]),
        (2, (), [(), ()]),
    ],
)
def test_agents_have_cores_of_their_own_as_far_as_there_are_enough(agents: int, cores: Any, shares: Any) -> None:
    assert [place.cores for place in placements(agents, cores)] == shares


@pytest.mark.parametrize(
    ("agents", "gpus", "shown"),
    [
        (2, (), [{}, {}]),
        (2, ("0", "1", "2", "3"), [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]),
        (
            2,
            ("GPU-7f",),
            [{"CUDA_VISIBLE_DEVICES": "GPU-7f", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.450"}] * 2,
        ),
    ],
)
def test_each_agent_sees_gpus_of_its_own_or_has_its_part_of_ones_memory(agents: int, gpus: Any, shown: Any) -> None:
    assert [dict(place.environ) for place in placements(agents, range(8), gpus)] == shown


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("0", "1")),
        ({"JAX_PLATFORMS": "cpu"}, ()),
        ({"JAX_PLATFORMS": "cuda,cpu"}, ("0", "1")),
        ({"CUDA_VISIBLE_DEVICES": "1, 3"}, ("1", "3")),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ()),
    ],
)
def test_gpus_are_those_that_the_environment_shows(environ: dict[str, str], found: Any, tmp_path: Path) -> None:
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert gpus_of(environ, folder=tmp_path) == found
