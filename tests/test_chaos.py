"""Agents that improve one system through S3 while they are killed, stopped, cut off and told wrong times.

``MU2NET_TEST_CHAOS=N`` does that to four of them for N seconds, ``MU2NET_TEST_PROFILE=nightly`` for four minutes, and
``bench.py chaos`` to eight, for twenty. The default only looks at what would be done.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from mu2net_core.testing.servers.servers import Server
from mu2net_core.testing.worlds.blows import KINDS, blows
from mu2net_core.testing.worlds.schedules import NIGHTLY

SECONDS = float(os.environ.get("MU2NET_TEST_CHAOS", "240" if NIGHTLY else "0"))


def test_a_seed_says_what_is_done_to_whom_and_all_of_it_ends_before_the_run_does() -> None:
    plan = blows(1, seconds=1200.0, agents=8)
    assert plan == blows(1, seconds=1200.0, agents=8)
    assert plan != blows(2, seconds=1200.0, agents=8)
    assert list(plan) == sorted(plan)
    assert min(one.at_s for one in plan) >= 120.0
    assert max(one.at_s + one.lasts_s for one in plan) <= 1080.1


def test_in_twenty_minutes_every_kind_of_harm_comes_to_eight_agents_and_kills_to_each() -> None:
    plan = blows(1, seconds=1200.0, agents=8)
    assert {one.kind for one in plan} == set(KINDS)
    kills = Counter(one.whom for one in plan if one.kind == "kill")
    assert set(kills) == set(range(8))
    assert all(one.lasts_s > 180.0 for one in plan if one.kind == "coma"), "longer than a lease lives"


def test_in_short_runs_nothing_is_planned_that_there_is_no_time_for() -> None:
    assert {one.kind for one in blows(1, seconds=240.0, agents=4)} == set(KINDS) - {"coma"}


if SECONDS:

    @pytest.mark.timeout(3_600)
    @pytest.mark.filterwarnings("default")
    def test_agents_under_faults_lose_nothing_and_tell_nobody_what_is_private(
        s3_server: Server, tmp_path: Path
    ) -> None:
        from mu2net_core.testing.worlds.chaos import Chaos
        from mu2net_core.testing.worlds.reckoning import reckon

        chaos = Chaos(folder=tmp_path, server=s3_server, seed=1, seconds=SECONDS, agents=4)
        with chaos.prepared():
            ran = chaos.run()
            found = reckon(chaos)
        assert ran.counts["kill"] >= 1
        assert found.iterations > 0
        assert found.accepted > 0
        assert (found.lost, found.unfinished_business) == ((), ())
        assert (found.wrong, found.unclean, found.leaks) == ((), (), ())
