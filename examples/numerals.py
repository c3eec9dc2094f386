"""The papers' preliminary experiment: three numeral tasks grown from a ViT without blocks; telugu is private.

    TFDS_DATA_DIR=... python examples/numerals.py --seeds 1 2 3

Each seed runs in a process of its own, so that its times and its peak memory are its own. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mu2net_core as m

TASKS = ("cmaterdb/bangla", "cmaterdb/devanagari", "cmaterdb/telugu")


def run(seed: int, iterations: int, validations: int | None, folder: Path) -> dict:
    """Returns what one run measured."""
    repo = m.init(folder, preset="vit-ti0", seed=seed)
    for task in TASKS:
        repo.add_task(task, m.TaskOptions(private=task == "cmaterdb/telugu"))
    compiled, began = [], time.perf_counter()
    result = repo.evolve(
        tasks=TASKS,
        iterations=iterations,
        validations=validations,
        seed=seed,
        on_event=lambda event: compiled.append(event.wall_s) if type(event).__name__ == "Compiled" else None,
    )
    wall_s = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_SELF)
    models = {row.task: row for row in repo.leaderboard().rows}
    return {
        "seed": seed,
        "accuracy": [
            {"task": r.task, "iteration": r.iteration, "validation": r.validation, "test": r.test}
            for r in result.iterations
        ],
        "children": sum(r.sampled for r in result.iterations),
        "models": {
            task: {"blocks": row.blocks, "params": row.params, "own": row.accounted_params}
            for task, row in models.items()
        },
        "total_params": repo.status().num_params,
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
        "programs": len(compiled),
        "compile_s": sum(compiled),
        "fsck": repo.fsck().is_clean,
    }


def spread(values: list[float]) -> str:
    """Returns mean ± sample standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {deviation:.3f}"


def report(runs: list[dict]) -> None:
    """Prints the tables."""
    print("| task | iteration | validation | test | per seed |\n|---|---|---|---|---|")
    last = max(entry["iteration"] for entry in runs[0]["accuracy"])
    for iteration in range(1, last + 1):
        for task in TASKS:
            found = [e for r in runs for e in r["accuracy"] if (e["task"], e["iteration"]) == (task, iteration)]
            each = " / ".join(f"{e['test']:.3f}" for e in found)
            print(
                f"| {task} | {iteration} | {spread([e['validation'] for e in found])} "
                f"| {spread([e['test'] for e in found])} | {each} |"
            )
        means = [statistics.mean(e["test"] for e in r["accuracy"] if e["iteration"] == iteration) for r in runs]
        print(f"| **mean** | {iteration} | | **{spread(means)}** | {' / '.join(f'{x:.3f}' for x in means)} |")
    print(
        "\n| seed | blocks | parameters per model | in the system | wall s | CPU s | s per child | peak MB "
        "| programs | compiling s |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for r in runs:
        blocks = " / ".join(str(r["models"][task]["blocks"]) for task in TASKS)
        params = " / ".join(f"{r['models'][task]['params']:,}" for task in TASKS)
        print(
            f"| {r['seed']} | {blocks} | {params} | {r['total_params']:,} | {r['wall_s']:.0f} | {r['cpu_s']:.0f} "
            f"| {r['wall_s'] / r['children']:.2f} | {r['peak_mb']:.0f} | {r['programs']} | {r['compile_s']:.0f} |"
        )
    print(f"\nfsck clean in every run: {all(r['fsck'] for r in runs)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--validations", type=int, default=None)
    parser.add_argument("--one", help="run the only seed in this folder and print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(options.seeds[0], options.iterations, options.validations, Path(options.one))))
        return
    runs = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", f"{folder}/chars", "--seeds", str(seed)]
            command += ["--iterations", str(options.iterations)]
            command += ["--validations", str(options.validations)] if options.validations else []
            runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print(json.dumps(runs[-1]), file=sys.stderr)
    report(runs)


if __name__ == "__main__":
    main()
