"""What a user with few and noisy examples gets from the command line's defaults, against logistic regression on pixels.

Three folders of image files: 240 letters of 20 classes, 72 photos of three kinds of clothes, and 72 noisy squares of
two greys. Every round draws other training examples; the test images are never among them. Logistic regression gets
all images of the training folder, mu2net takes its validation split out of these. The test split is looked at once, at
the end. ``MU2NET_FEW`` chooses folders by name.
"""

from __future__ import annotations

import io
import json
import os
import resource
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import Options, Row, apart, python_path, spread
from PIL import Image

LETTERS, PER_LETTER, TEST_PER_LETTER = 20, 12, 80
CLOTHES, PER_GARMENT, TEST_PER_GARMENT = ("hat", "pants", "shoes"), 24, 90
GREYS, NOISE, PER_GREY, TEST_PER_GREY = (70, 170), 40, 36, 200
QUICK = ("--generations", "1", "--children", "1", "--validations", "1", "--preset", "vit-mini")

Split = tuple[np.ndarray, np.ndarray]
"""Images, uint8 [N, H, W] or [N, H, W, C], and labels [N]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A folder of few examples: its name, and what draws its training and test examples from the data by a seed."""

    name: str
    draw: Callable[[Path, int], tuple[Split, Split]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Of one seed: test accuracies, ours on validation, how often always saying one class is right, and CPU seconds."""

    regression: float
    ours: float
    validation: float
    chance: float
    cpu_s: float
    at_chance: bool


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    asked = os.environ.get("MU2NET_FEW", "squares" if options.small or not data.is_dir() else "").split()
    chosen = [subject for subject in SUBJECTS if not asked or subject.name in asked]
    rounds: dict[str, list[Round]] = {subject.name: [] for subject in chosen}
    for seed in range(options.pairs):
        for subject in chosen:
            one = apart(round_of, subject, data, options, seed, inline=options.small)
            rounds[subject.name].append(one)
            print(f"{subject.name}, seed {seed}: {one}", file=sys.stderr, flush=True)
    return [_row(subject, rounds[subject.name]) for subject in chosen]


def round_of(subject: Subject, data: Path, options: Options, seed: int) -> Round:
    """Returns what came of the examples that a seed draws."""
    train, test = subject.draw(data, seed)
    folder = options.folder / f"{subject.name}-{seed}"
    for name, split in (("train", train), ("test", test)):
        _write(folder / "images" / name, split)
    before = _cpu_s()
    evolved = _evolved(folder, seed, small=options.small)
    spent_s = _cpu_s() - before
    measured = _mu2net(folder / "system", "eval", "task", inline=options.small)
    return Round(
        regression=_regression(train, test),
        ours=measured["accuracy"],
        validation=evolved["validation"],
        chance=float(np.bincount(test[1]).max() / len(test[1])),
        cpu_s=spent_s,
        at_chance=evolved["at_chance"],
    )


def _evolved(folder: Path, seed: int, *, small: bool) -> Mapping[str, object]:
    """Returns what the commands of the first lines of the README came to for a folder of images."""
    system = folder / "system"
    _mu2net(folder, "init", str(system), *(QUICK[-2:] if small else ()), inline=small)
    _mu2net(system, "add-task", f"folder:{folder / 'images'}", "--name", "task", inline=small)
    asked = ("evolve", "--all", "--seed", str(seed), *(QUICK[:-2] if small else ()))
    found: Mapping[str, object] = _mu2net(system, *asked, inline=small)["iterations"][0]
    return found


def _mu2net(folder: Path, *args: str, inline: bool) -> dict:
    """Returns what a command line says in JSON, in a process of its own or, if ``inline``, in this one."""
    command = ("-C", str(folder), *args, "--json")
    if inline:
        from mu2net_cli.main import main

        with redirect_stdout(io.StringIO()) as said:
            code = main(command)
        out, err = said.getvalue(), ""
    else:
        environ = {**os.environ, "PYTHONPATH": python_path()}
        run = [sys.executable, "-m", "mu2net_cli.main", *command]
        done = subprocess.run(run, capture_output=True, text=True, check=False, env=environ)
        code, out, err = done.returncode, done.stdout, done.stderr
    if code:
        raise RuntimeError(f"{' '.join(args)}: {err}")
    found: dict = json.loads(out)
    return found


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _regression(train: Split, test: Split) -> float:
    from sklearn.linear_model import LogisticRegression

    def flat(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32) / 255

    model = LogisticRegression(max_iter=1000).fit(flat(train[0]), train[1])
    return float(model.score(flat(test[0]), test[1]))


def _write(folder: Path, split: Split) -> None:
    for number, (image, label) in enumerate(zip(*split, strict=True)):
        path = folder / f"class{label:02d}" / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def _letters(data: Path, seed: int) -> tuple[Split, Split]:
    with np.load(data / "npz" / "az_letters.npz") as stored:
        images, labels = stored["x_train"], stored["y_train"]
    return _drawn(images, labels, range(LETTERS), PER_LETTER, TEST_PER_LETTER, seed)


def _photos(data: Path, seed: int) -> tuple[Split, Split]:
    images, labels = [], []
    with zipfile.ZipFile(data / "images" / "clothing_small_64px.zip") as packed:
        for name in sorted(packed.namelist()):
            split, _, rest = name.partition("/")
            if name.endswith(".jpg") and split in {"train", "test"} and rest.split("/")[0] in CLOTHES:
                picture = Image.open(io.BytesIO(packed.read(name))).convert("RGB").resize((64, 64))
                images.append(np.asarray(picture))
                labels.append(CLOTHES.index(rest.split("/")[0]))
    return _drawn(np.stack(images), np.array(labels), range(len(CLOTHES)), PER_GARMENT, TEST_PER_GARMENT, seed)


def _squares(data: Path, seed: int) -> tuple[Split, Split]:
    del data
    labels = np.repeat(np.arange(len(GREYS)), PER_GREY + TEST_PER_GREY)
    noise = np.random.default_rng(seed).normal(0, NOISE, (len(labels), 28, 28))
    images = np.clip(np.array(GREYS)[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
    return _drawn(images, labels, range(len(GREYS)), PER_GREY, TEST_PER_GREY, seed)


def _drawn(
    images: np.ndarray, labels: np.ndarray, classes: Sequence[int], num_train: int, num_test: int, seed: int
) -> tuple[Split, Split]:
    """Returns so many examples of each class to train on, and so many others to test with."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(np.flatnonzero(labels == one)) for one in classes]
    train = np.concatenate([order[:num_train] for order in orders])
    test = np.concatenate([order[num_train:][:num_test] for order in orders])
    return (images[train], labels[train]), (images[test], labels[test])


def _row(subject: Subject, rounds: Sequence[Round]) -> Row:
    ours, floor = [one.ours for one in rounds], [one.regression for one in rounds]
    gap = 100 * (statistics.mean(ours) - statistics.mean(floor))
    spent_s = statistics.mean(one.cpu_s for one in rounds)
    told = sum(one.at_chance for one in rounds)
    validation = spread([one.validation for one in rounds])
    return Row(
        case=f"few examples, {subject.name}, {len(rounds)} seed{'s' * (len(rounds) > 1)}",
        floor=f"logistic regression {spread(floor)}; chance {rounds[0].chance:.3f}",
        ours=f"{spread(ours)} in {spent_s:.0f} s (validation {validation}){f', {told} at chance' * (told > 0)}",
        ratio=f"{gap:+.1f} points",
        bar="> logistic regression",
    )


SUBJECTS = (
    Subject(name="letters", draw=_letters),
    Subject(name="photos", draw=_photos),
    Subject(name="squares", draw=_squares),
)
"""The folders that are measured."""
