"""Layouts of children on devices, each in a process of its own: four children of one program, trained and validated.

The floor trains them one after the other on the one device that a CPU usually is. A CPU can be told to be several
devices (``--xla_force_host_platform_device_count``); then its cores are shared among them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from case_startup import environment
from measure import Options, Row, apart, seconds, times
from worker_layouts import took

WORKER = Path(__file__).with_name("worker_layouts.py")
LAYOUTS = {
    "sequential, 1 device": ("sequential", 1),
    "together on 1 device (vmap)": ("together", 1),
    "children, 2 devices": ("children", 2),
    "batch, 2 devices": ("batch", 2),
}


def measure(options: Options) -> list[Row]:
    chosen = dict(list(LAYOUTS.items())[:2]) if options.small else LAYOUTS
    found: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(options.pairs):
        for name, (strategy, devices) in chosen.items():
            is_here = options.small and strategy != "sequential"  # one process is enough to see that it runs
            found[name].append(apart(took, strategy, True, inline=True) if is_here else run(options, strategy, devices))
    floor, *others = chosen
    return [
        Row(
            case=f"four children, {'vit-mini' if options.small else 'ViT-Ti, 3 blocks'}, {name}",
            floor=f"{floor}: {seconds(median(found[floor]))}",
            ours=seconds(median(found[name])),
            ratio=times(median(a / b for a, b in zip(found[name], found[floor], strict=True))),
            bar="-",
        )
        for name in others
    ]


def run(options: Options, strategy: str, devices: int) -> float:
    """Returns the seconds that the children took once everything was compiled."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environ = {**environment(options.folder), "XLA_FLAGS": flags, "MU2NET_CACHE_DIR": str(options.folder / "cache")}
    command = [sys.executable, str(WORKER), strategy, "small" if options.small else "full"]
    result = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(result.stdout))
