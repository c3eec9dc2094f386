"""Does a new task profit from what others learned? Train one alone, and one in a system that knows the digits.

Run it anywhere: python examples/transfer.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import mu2net_core as m

NEW_TASK = "sklearn:digits/five-or-more"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone = m.init(Path(folder) / "alone", preset="vit-mini", seed=1)
        alone.add_task(NEW_TASK)
        alone.evolve(seed=1)

        together = m.init(Path(folder) / "together", preset="vit-mini", seed=1)
        together.add_task("sklearn:digits")
        together.evolve(seed=1)
        together.add_task(NEW_TASK)
        together.evolve(tasks=["digits/five-or-more"], seed=1)

        for name, repo in (("alone", alone), ("together", together)):
            result = repo.evaluate("digits/five-or-more", split="test")
            shares = repo.ancestry("digits/five-or-more").transfer.by_params
            taught = ", ".join(f"{task} {share:.0%}" for task, share in shares.items())
            print(f"{name}: test accuracy {result.accuracy:.4f}; taught by {taught}")


if __name__ == "__main__":
    main()
