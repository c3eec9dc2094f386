"""``python tests/benchmarks/bench.py [CASE ...]``: measures mu2net beside the floors it is judged by, as one table.

Every figure is a ratio (or a difference) within one run: the floor is measured beside ours, in turns, and medians over
the rounds are reported. Absolute figures only say what machine it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from measure import Options, Row, table  # noqa: E402

CASES = (
    "startup", "components", "pull", "push", "guards", "scale", "s3", "stream", "rows", "evolve", "frozen",
    "large", "layouts", "agents", "pool", "fleet", "busy", "parallel", "quality", "late", "system", "few",
    "methods", "chaos",
)  # fmt: skip


def measure(case: str, options: Options) -> list[Row]:
    """Returns the rows of one case, measured in a scratch folder of its own."""
    with tempfile.TemporaryDirectory(  # a program that is compiled ahead may still be writing its cache at the end
        prefix=f"mu2net-bench-{case}-", dir=options.folder, ignore_cleanup_errors=True
    ) as folder:
        scratch = replace(options, folder=Path(folder))
        rows: list[Row] = import_module(f"case_{case}").measure(scratch)
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--pairs", type=int, default=5, help="rounds per figure")
    parser.add_argument("--small", action="store_true", help="one round on the smallest scale: does it run?")
    parser.add_argument(
        "--dir", type=Path, default=Path(tempfile.gettempdir()), help="where to write: the disk to test"
    )
    parser.add_argument("--kinds", action="store_true", help="of quality: texts and other kinds of data, not images")
    parser.add_argument("--minutes", type=float, default=20.0, help="of chaos: how long")
    parser.add_argument("--agents", type=int, default=8, help="of chaos: how many, at least 4")
    parser.add_argument("--seed", type=int, default=1, help="of chaos: what is done to whom")
    chosen = parser.parse_args()
    unknown = set(chosen.cases) - set(CASES)
    if unknown or chosen.pairs < 1:
        parser.error(f"unknown case {', '.join(unknown)}" if unknown else "expected at least one pair")
    pairs = 1 if chosen.small else chosen.pairs
    options = Options(
        folder=chosen.dir,
        pairs=pairs,
        small=chosen.small,
        kinds=chosen.kinds,
        minutes=chosen.minutes,
        agents=chosen.agents,
        seed=chosen.seed,
    )
    print(table([row for case in chosen.cases or CASES for row in measure(case, options)]))


if __name__ == "__main__":
    main()
