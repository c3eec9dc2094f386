"""What a preview of a task says."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.objects import Input, Output

__all__ = ["Preview", "PreviewSample", "PreviewSplit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewSplit:
    """A split of the task.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        spec: which of the data set's examples it has.
        num_examples: how many.
        counts: of these, of each class, or with each label; none of numbers.
        least: of numbers the smallest.
        mean: likewise their mean.
        most: likewise the greatest.
    """

    name: str
    spec: str
    num_examples: int
    counts: tuple[int, ...]
    least: float | None
    mean: float | None
    most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewSample:
    """One training example.

    Attributes:
        name: a path, or a row of a file.
        label: as it reads: the name of a class, names of labels, a number.
        text: of a text its beginning, of a row its cells; of an image its size.
    """

    name: str
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a data set would be as a task.

    Attributes:
        name: of the task.
        source: where its data lies on this machine.
        input: what goes in.
        output: what comes out.
        metric: by which quality is measured.
        class_weights: how much an example of each class counts in the loss; None where all count the same.
        preset: that it would get; None where all tasks have the same.
        typical_size: of images height and width of the median; of texts the bytes that nine of ten do not exceed.
        splits: what each has.
        samples: some training examples, of each class or set of labels if there are not too many.
        skipped: the names of the broken examples that are left out.
        remarks: what whoever adds it should know, one sentence each.
    """

    name: str
    source: str
    input: Input
    output: Output
    metric: str
    class_weights: tuple[float, ...] | None
    preset: str | None
    typical_size: tuple[int, ...] | None
    splits: tuple[PreviewSplit, ...]
    samples: tuple[PreviewSample, ...]
    skipped: tuple[str, ...]
    remarks: tuple[str, ...]
