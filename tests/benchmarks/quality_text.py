"""What a user gets of texts from one iteration with defaults, against TF-IDF and logistic regression in the same run.

Each root has its own repository: the random one that ``auto`` chooses, and that of a Hugging Face folder if
``MU2NET_TEXT_MODEL`` says where one lies. The test split is looked at once, at the end; each round has another seed.
``MU2NET_QUALITY`` chooses tasks by name.
"""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import dataclass
from pathlib import Path

from measure import Options, Row, Spent, apart, spread
from quality_ours import improved

import mu2net_core as m

SMALL = {"generations": 1, "children": 1, "validations": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A data set of texts.

    Attributes:
        name: of its folder, and of the task.
        random: by how much a random root may be worse than the floor; None where no mark was said.
        pretrained: what a pretrained root should reach.
        above: whether ``pretrained`` is how much better than the floor that is, and no accuracy.
    """

    name: str
    random: float | None = None
    pretrained: float
    above: bool = False


SUBJECTS = (
    Texts(name="sst2", pretrained=0.05, above=True),
    Texts(name="cr", pretrained=0.05, above=True),
    Texts(name="trec6", random=0.03, pretrained=0.94),
    Texts(name="sms_spam", random=0.03, pretrained=0.985),
)
FEW = 90
"""Texts of each split that are enough to see whether it runs."""


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve() / "text"
    names, pretrained = os.environ.get("MU2NET_QUALITY", "").split(), os.environ.get("MU2NET_TEXT_MODEL", "")
    roots = [*([pretrained] if pretrained else []), "random"]
    if not data.is_dir():
        return []
    chosen = [one for one in SUBJECTS if (one.name in names if names else not options.small or one.name == "trec6")]
    return [_row(subject, root, data, options) for subject in chosen for root in roots]


def _row(subject: Texts, root: str, data: Path, options: Options) -> Row:
    source = _few(data / subject.name, options.folder / "few") if options.small else data / subject.name
    sizes = SMALL if options.small else {}
    floors, mine = list[float](), list[Spent]()
    for seed in range(options.pairs):
        folder = options.folder / f"{subject.name}-{Path(root).name}-{seed}"
        mine.append(apart(ours, folder, source, root, sizes, seed, inline=options.small))
        floors.append(floor(source))
    found = [one.result["test"] for one in mine]
    compiling_s = statistics.mean(one.result["compiling_s"] for one in mine)
    return Row(
        case=f"test accuracy, {subject.name}, {'random' if root == 'random' else 'pretrained'} root, {len(mine)} seeds",
        floor=f"TF-IDF and logistic regression {spread(floors)}",
        ours=f"{spread(found)} in {statistics.mean(one.cpu_s for one in mine):.0f} s, {compiling_s:.0f} s compilations",
        ratio=f"{100 * (statistics.mean(found) - statistics.mean(floors)):+.1f} points",
        bar=_bar(subject, root),
    )


def _bar(subject: Texts, root: str) -> str:
    if root != "random":
        return f"floor + {100 * subject.pretrained:.0f} points" if subject.above else f"{subject.pretrained:.3f}"
    return "none" if subject.random is None else f"floor - {100 * subject.random:.0f} points"


def ours(folder: Path, source: Path, root: str, sizes: dict[str, int], seed: int) -> Spent:
    """Returns what one iteration of a new repository spent; test accuracy, and the time of compilations."""
    repo = begun(folder, root)
    repo.add_task(f"jsonl:{source}", m.TaskOptions(name="task"))
    return improved(repo, sizes, seed)


def begun(folder: Path, root: str) -> m.Repo:
    """Returns a new repository of ``auto``, or of ``bert-s`` where ``root`` is a folder and not ``random``."""
    return m.init(folder) if root == "random" else m.init(folder, preset="bert-s", root=root)


def floor(source: Path) -> float:
    """Returns the test accuracy of words and pairs of words, weighed by how rare they are."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    machine = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1_000))
    machine.fit(*_read(source / "train.jsonl"))
    return float(machine.score(*_read(source / "test.jsonl")))


def _read(path: Path) -> tuple[list[str], list[str]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def _few(source: Path, folder: Path) -> Path:
    """Returns a folder with the first texts of each split."""
    folder.mkdir(exist_ok=True)
    for path in source.glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()[:FEW]
        (folder / path.name).write_text("\n".join(lines), encoding="utf-8")
    return folder
