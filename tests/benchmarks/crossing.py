"""``python tests/benchmarks/crossing.py SEED``: blocks that texts trained, in models of images.

A new repository of trec6 and sklearn:digits. The digits have ``vit-ti3``, whose blocks are as large as those of texts,
of which the root has three here, with short cycles, so that models which begin with random numbers learn in them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

import mu2net_core as m

SETTINGS = {
    "MU2NET_SPACE_CROSSING": "true",
    "MU2NET_DEFAULT_NUM_LAYERS": "3",
    "MU2NET_EVOLVE_BATCH_SIZE": "32",
    "MU2NET_EVOLVE_MIN_STEPS": "60",
}
TEXTS = {"generations": 1, "children": 1}
IMAGES = {"generations": 4, "children": 4, "validations": 2}


def tell(event: m.Event) -> None:
    """Prints what children took over, and their validation accuracy after each cycle."""
    if isinstance(event, m.GenerationFinished) and event.task == "digits":
        for child in event.children:
            taken = [one.name for one in child.mutations if one.name.startswith("cross:")]
            print(event.generation, taken or "-", *(f"{quality:.3f}" for quality in child.curve), flush=True)


def main(seed: int) -> None:
    os.environ |= SETTINGS
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    with tempfile.TemporaryDirectory() as folder:
        repo = m.init(Path(folder) / "system")
        repo.add_root("deep", preset="text-128", seed=seed)
        repo.add_task(f"jsonl:{data / 'text' / 'trec6'}", m.TaskOptions(name="questions"))
        repo.add_task("sklearn:digits", m.TaskOptions(name="digits", preset="vit-ti3"))
        for task, sizes in (("questions", TEXTS), ("digits", IMAGES)):
            repo.evolve(tasks=[task], iterations=1, seed=seed, on_event=tell, **sizes)
        print(f"test {repo.evaluate('digits').quality:.3f}, replay: {repo.replay('digits').outcome}")
        lines = {line.layer: [step.operation for step in line.steps] for line in repo.ancestry("digits").components}
        print("taken over in the retained model:", [layer for layer, steps in lines.items() if "cross" in steps] or "-")
        other = m.clone(str(Path(folder) / "system"), Path(folder) / "other")
        for task, given in (("questions", ["Who was Galileo?"]), ("digits", np.zeros((2, 8, 8), np.uint8))):
            ours, theirs = (one.model(task).probabilities(given).tobytes() for one in (repo, other))
            print(f"{task}: a clone says {'the same' if ours == theirs else 'something else'}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
