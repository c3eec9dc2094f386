"""One system of images, texts and rows evolves with all of them, and a clone says of each the same to the last bit.

``MU2NET_TEST_PROFILE=nightly`` learns all three; the default rows of several labels alone, each other kind has a test.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.models.predict import Predictor
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.objects import Labels
from mu2net_core.repo import load_system, open_repository
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.tiny import tiny_presets
from mu2net_core.testing.worlds.schedules import NIGHTLY

ASKED = {
    "images": np.zeros((2, 8, 8), np.uint8),
    "texts": ["film 3 is fine", "film 4 is dull"],
    "tags": [{"a": 0, "b": 1}, {"a": 1, "b": None}],
}


KINDS = {"images": "image", "texts": "text", "tags": "table"} if NIGHTLY else {"tags": "table"}


def write(folder: Path) -> None:
    """Writes a data set of each kind: images of two classes, texts of two, rows of several labels."""
    classes = np.arange(60) % 2
    noise = np.random.default_rng(1).integers(0, 120, (60, 8, 8))
    np.savez(folder / "images.npz", x=(noise + 100 * classes[:, None, None]).astype(np.uint8), y=classes)
    rows = {
        "texts": [{"text": f"film {n} is {('fine', 'dull')[n % 2]}", "label": "ab"[n % 2]} for n in range(60)],
        "tags": [
            {"a": n % 2, "b": n % 3, "labels": ["even"] * (n % 2 == 0) + ["third"] * (n % 3 == 0)} for n in range(60)
        ],
    }
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_one_system_learns_images_texts_and_rows_and_a_clone_predicts_the_same_bits(world) -> None:
    here = world()
    write(here.folder)
    init(Path("repo"), here.context)
    with tiny_presets(), quick_compiler():
        repo = open_repository(here.folder / "repo")
        for task in KINDS:
            add_task(repo, here.context, "npz:images.npz" if task == "images" else f"{task}.jsonl")
        evolve(repo, here.context, list(KINDS), EvolveOptions(generations=1, children=1, validations=1, seed=1))
        heads = load_system(repo).heads
        assert {name: head.task.input.kind for name, head in heads.items()} == KINDS
        assert isinstance(heads["tags"].task.output, Labels)
        clone("repo", "other", here.context)
        other = open_repository(here.folder / "other")
        for task in KINDS:
            ours, theirs = (Predictor(one, here.context, task).probabilities(ASKED[task]) for one in (repo, other))
            assert ours.tobytes() == theirs.tobytes(), task
            assert np.isfinite(ours).all()
