"""``python tests/benchmarks/text_parts.py TEXTS PARTS``: what ``auto`` makes of texts, without their test split.

The texts for training are cut into four parts (scikit-learn's ``KFold(4, shuffle=True, random_state=1)``); the first
PARTS of them are each predicted by one iteration that learned from the others, and by the floor.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measure import apart, spread
from quality_text import floor, ours
from table_parts import parts


def main(name: str, count: int) -> None:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve() / "text" / name
    lines = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        found, floors = list[float](), list[float]()
        for number, split in enumerate(parts(len(lines), 1)[:count]):
            source = Path(folder) / f"part-{number}"
            source.mkdir()
            for told in ("train", "test"):
                chosen = [line for line, said in zip(lines, split, strict=True) if said == told]
                (source / f"{told}.jsonl").write_text("\n".join(chosen), encoding="utf-8")
            floors.append(floor(source))
            found.append(apart(ours, Path(folder) / f"repo-{number}", source, "random", {}, number).result["test"])
            print(f"part {number}: {found[-1]:.3f}, TF-IDF and logistic regression {floors[-1]:.3f}", flush=True)
    print(f"{name}: {spread(found)}, TF-IDF and logistic regression {spread(floors)}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
