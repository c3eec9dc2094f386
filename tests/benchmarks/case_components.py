"""Saving and loading the components of a ViT-B/16, against NumPy's own files, one per array.

Saving is durable: ours syncs every file and its folder. So the floor the bar is about syncs its files too; the row
without that shows what the disk costs. Loading is verified: ours hashes every byte. The page cache is warm for all.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from measure import Options, Row, interleave, milliseconds, times

from mu2net_core.nn.vit import VisionTransformer
from mu2net_core.objects import Component
from mu2net_core.repo import ObjectDatabase
from mu2net_core.storage import LocalStore

VIT_B = {"image": 224, "patch": 16, "width": 768, "heads": 12, "mlp": 3072, "channels": 3}
SMALL = {"image": 32, "patch": 16, "width": 32, "heads": 2, "mlp": 64, "channels": 3}


def measure(options: Options) -> list[Row]:
    components = vit_components(SMALL if options.small else VIT_B, num_layers=12)
    arrays = [array for component in components for array in component.params.values()]
    ours, plain, synced = (options.folder / name for name in ("ours", "plain", "synced"))
    ids = [ObjectDatabase(LocalStore(ours)).put_component(component)[0] for component in components]
    saving = interleave(
        {
            "ours": lambda: save(ours, components),
            "plain": lambda: save_floor(plain, arrays, sync=False),
            "synced": lambda: save_floor(synced, arrays, sync=True),
        },
        options.pairs,
        before={name: lambda path=options.folder / name: clear(path) for name in ("ours", "plain", "synced")},
    )
    loading = interleave({"ours": lambda: load(ours, ids), "plain": lambda: load_floor(plain)}, options.pairs)
    check(components, load(ours, ids))
    size = f"{len(arrays)} arrays, {sum(a.nbytes for a in arrays) / 1e6:.0f} MB"
    num_files = sum(path.is_file() for path in ours.rglob("*"))
    return [
        _row(f"save ViT-B, {size}", "np.save + fsync", saving, "synced", "≤ 2.0×"),
        _row(f"save ViT-B, {size}", "np.save, not durable", saving, "plain", "-"),
        _row(f"verified load of ViT-B, {size}", "np.load", loading, "plain", "≤ 2.0×"),
        Row(
            case="files of ViT-B", floor=f"{len(arrays)} arrays", ours=f"{num_files} files", ratio="-", bar="≤ 20 files"
        ),
    ]


def vit_components(config: dict[str, int], num_layers: int) -> list[Component]:
    """Returns the components of a vision transformer without a head, with random numbers."""
    family, rng = VisionTransformer(), np.random.default_rng(0)
    components = []
    for spec in family.layers(config, {"num_layers": num_layers}, 1)[:-1]:
        params = {name: rng.random(shape, dtype=np.float32) for name, (shape, _) in family.shapes(spec).items()}
        components.append(Component(name=spec.name, config=spec.config, params=params))
    return components


def save(folder: Path, components: list[Component]) -> None:
    database = ObjectDatabase(LocalStore(folder))
    for component in components:
        database.put_component(component)


def load(folder: Path, ids: list[str]) -> list[Component]:
    database = ObjectDatabase(LocalStore(folder))
    return [database.component(oid) for oid in ids]


def save_floor(folder: Path, arrays: list[np.ndarray], *, sync: bool) -> None:
    folder.mkdir()
    for number, array in enumerate(arrays):
        with (folder / f"{number}.npy").open("wb") as file:
            np.save(file, array)
            if sync:
                file.flush()
                os.fsync(file.fileno())


def load_floor(folder: Path) -> list[np.ndarray]:
    return [np.load(path) for path in folder.iterdir()]


def clear(folder: Path) -> None:
    """Removes ``folder`` and waits for the disk, so that nobody pays for what another one wrote."""
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()


def check(saved: list[Component], loaded: list[Component]) -> None:
    for before, after in zip(saved, loaded, strict=True):
        assert before.params.keys() == after.params.keys()
        assert all(np.array_equal(after.params[name], array) for name, array in before.params.items())


def _row(case: str, what: str, timings, floor: str, bar: str) -> Row:
    return Row(
        case=case,
        floor=f"{what}: {milliseconds(timings.median(floor))}",
        ours=milliseconds(timings.median("ours")),
        ratio=times(timings.ratio("ours", floor)),
        bar=bar,
    )
