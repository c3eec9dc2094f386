"""Agents that improve one system through a real S3 server while they are killed, stopped, cut off and told wrong times.

What is done to whom follows from ``--seed``; ``mu2net_core/testing/worlds/blows.py`` says what there is. At the end all
copies exchange what they have, and everything is looked at. A run prints to stderr what was done and what came of it.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import replace

from measure import Options, Row

from mu2net_core.testing.servers.ceph import ceph
from mu2net_core.testing.worlds.blows import blows
from mu2net_core.testing.worlds.chaos import Chaos, Ran
from mu2net_core.testing.worlds.reckoning import Reckoning, reckon


def measure(options: Options) -> list[Row]:
    planned = Counter(one.kind for one in blows(options.seed, seconds=60 * options.minutes, agents=options.agents))
    said = ", ".join(f"{number} {kind}" for kind, number in sorted(planned.items()))
    what = f"{options.agents} agents for {options.minutes:g} minutes, seed {options.seed}"
    rows = [_row(f"chaos, {what}: planned", said)]
    if options.small:
        return rows
    load = os.getloadavg()
    with ceph() as server:
        chaos = Chaos(
            folder=options.folder,
            server=server,
            seed=options.seed,
            seconds=60 * options.minutes,
            agents=options.agents,
        )
        with chaos.prepared():
            ran = chaos.run()
            print("\n".join(ran.done), file=sys.stderr)
            found = reckon(chaos)
    for name in found.__slots__:
        print(f"{name}: {getattr(found, name)}", file=sys.stderr)
    print(replace(ran, done=()), f"load before {load}, after {os.getloadavg()}", file=sys.stderr)
    return [*rows, *_done(ran), *_found(found)]


def _done(ran: Ran) -> list[Row]:
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(ran.counts.items()))
    per_s = ", ".join(f"{kind} {number:.2f}" for kind, number in ran.requests.items() if kind != "in all")
    ends = ", ".join(f"{number} with {code}" for code, number in sorted(ran.ends.items()))
    return [
        _row("chaos: done", counts),
        _row("chaos: processes that ended before they were asked to", ends or "0"),
        _row("chaos: requests", f"{ran.requests['in all']:.0f}; in a second of a fault of a network: {per_s}"),
        _row("chaos: memory of all agents at most", f"{ran.memory_mb:,.0f} MB"),
    ]


def _found(found: Reckoning) -> list[Row]:
    share = found.twice / max(found.iterations, 1)
    return [
        _row("chaos: iterations", f"{found.iterations}, {found.merges} merges, score {found.gained:+.3f} a task"),
        _row("chaos: iterations done twice", f"{found.twice} ({share:.1%})", "≤ 10 %"),
        _row("chaos: accepted improvements that were lost", f"{len(found.lost)} of {found.accepted}", "0"),
        _row("chaos: other finished iterations that were lost", f"{len(found.unfinished_business)}", "0"),
        _row("chaos: heads that are not what they say", f"{len(found.wrong)} of {found.heads}", "0"),
        _row("chaos: problems that fsck finds, in every copy and at the remotes", f"{len(found.unclean)}", "0"),
        _row("chaos: leaks of the private task", f"{len(found.leaks)}", "0"),
    ]


def _row(case: str, ours: str, bar: str = "-") -> Row:
    return Row(case=case, floor="none", ours=ours, ratio="-", bar=bar)
