"""``python tests/benchmarks/table_parts.py TABLE ROUNDS PRESET ...``: a table's presets without its test split.

The rows for training are cut into four parts, in each round others (scikit-learn's ``KFold(4, shuffle=True,
random_state=ROUND)``, from 1); each part is predicted by one iteration that learned from the others, and by the floor.
Presets of tables are chosen by this.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import apart, spread
from quality_ours import improved
from quality_tables import SUBJECTS, Rows, floor, options_of, split_of, written

import mu2net_core as m

PARTS = 4


def main(name: str, rounds: int, presets: Sequence[str]) -> None:
    (table,) = (one for one in SUBJECTS if one.name == name)
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve() / "tabular"
    header, *rows = table.read(data)
    rows = [row for row, said in zip(rows, split_of(len(rows)), strict=True) if said == "train"]
    splits = [split for number in range(rounds) for split in parts(len(rows), number + 1)]
    floors = [floor(header, rows, split, table.target) for split in splits]
    print(f"{floors[0][0]}: {spread([found for _, found, _ in floors])}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for preset in presets:
            found = [
                apart(
                    quality, Path(folder) / f"{preset}-{number}", table.target, [header, *rows], split, preset, number
                )
                for number, split in enumerate(splits)
            ]
            print(f"{preset}: {spread(found)}, each {', '.join(f'{one:.3f}' for one in found)}", flush=True)
            gaps = [one - reached for one, (_, reached, _) in zip(found, floors, strict=True)]
            print(f"more than the floor: {spread(gaps)}", flush=True)


def parts(count: int, seed: int) -> list[list[str]]:
    """Returns the split of each row, once for each part that is predicted."""
    from sklearn.model_selection import KFold

    found = []
    for _, tested in KFold(PARTS, shuffle=True, random_state=seed).split(range(count)):
        held = set(tested.tolist())
        found.append(["test" if row in held else "train" for row in range(count)])
    return found


def quality(folder: Path, target: str, rows: Rows, split: Sequence[str], preset: str, seed: int) -> float:
    """Returns what an iteration with a preset came to on the part that it did not see."""
    source = written(rows, split, folder.with_suffix(".csv"))
    repo = m.init(folder, preset=preset)
    repo.add_task(str(source), options_of(target))
    return float(improved(repo, {}, seed).result["test"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
