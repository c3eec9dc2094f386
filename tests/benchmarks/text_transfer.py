"""``python tests/benchmarks/text_transfer.py SEED ...``: what sst2 is worth to cr, both reviews.

In a new repository sst2 is evolved for one iteration, then cr; in another one cr alone. Defaults of ``auto``, or
``bert-s`` where ``MU2NET_TEXT_MODEL`` names a Hugging Face folder as the root. Test splits are looked at at the end.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measure import apart, spread
from quality_text import begun

import mu2net_core as m


def main(seeds: list[int]) -> None:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve() / "text"
    found = {names: list[float]() for names in (("sst2", "cr"), ("cr",))}
    for seed in seeds:
        for names, so_far in found.items():
            with tempfile.TemporaryDirectory() as folder:
                quality, from_others = apart(reached, Path(folder) / "repo", data, names, seed)
            so_far.append(quality)
            print(
                f"seed {seed}, {' then '.join(names)}: {quality:.3f}, stands on {from_others or 'nobody'}", flush=True
            )
    print("; ".join(f"{' then '.join(names)} {spread(so_far)}" for names, so_far in found.items()))


def reached(folder: Path, data: Path, names: tuple[str, ...], seed: int) -> tuple[float, list[str]]:
    """Returns the test accuracy of the last task, and the other tasks that trained layers of its model."""
    repo, last = begun(folder, os.environ.get("MU2NET_TEXT_MODEL", "random")), names[-1]
    for name in names:
        repo.add_task(f"jsonl:{data / name}", m.TaskOptions(name=name))
        repo.evolve(tasks=[name], iterations=1, seed=seed)
    lines = repo.ancestry(last).components
    return repo.evaluate(last).quality, sorted(
        {step.task for line in lines for step in line.steps if step.task} - {last}
    )


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]])
