"""What ``eval`` tells of a model: its quality, how far to trust it, and where it fails. Values."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.models.scores import ClassScore, Confusion

__all__ = ["Calibration", "EvalResult", "Part", "Reliability", "Report", "Residuals", "WorstExample", "WrongExample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """The answers of one range of probability: how likely they were said to be, and how often they were right.

    Attributes:
        low: probabilities from here,
        high: up to here.
        count: of answers.
        probability: their mean.
        right: the share of them that is right.
    """

    low: float
    high: float
    count: int
    probability: float
    right: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Whether probabilities mean what they say.

    Attributes:
        ece: the expected calibration error: the mean distance, over all answers, of a range's probability from the
            share that is right there (Naeini et al., 2015); 0 is perfect.
        bins: the ranges, of 1/10 each, that have answers. An answer is the likeliest class of an example; of several
            labels each one of an example, which is right if the example has it.
    """

    ece: float
    bins: tuple[Reliability, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The examples of a fifth of the range of numbers.

    Attributes:
        low: their least number.
        high: their greatest.
        count: of them.
        bias: the mean of said less true.
        mean_error: the mean of its absolute value.
    """

    low: float
    high: float
    count: int
    bias: float
    mean_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """How far numbers are from the truth: said less true, in the units of the data.

    Attributes:
        bias: the mean.
        mean_error: the mean of the absolute value (MAE).
        root_mean_square: RMSE.
        quantiles: shares, and the residual that so many are below.
        by_truth: the same for the fifth of the examples with the least numbers, the next one, and so on.
    """

    bias: float
    mean_error: float
    root_mean_square: float
    quantiles: tuple[tuple[float, float], ...]
    by_truth: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstExample:
    """An example that the model is most wrong about.

    Attributes:
        name: what its source calls it: a file's path, or e.g. ``train[17]``.
        label: what is true of it: its class, its labels joined by commas, or its number.
        said: what the model says, likewise.
        loss: minus the logarithm of its class's probability; the mean of that over labels; of numbers the distance.
    """

    name: str
    label: str
    said: str
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a model is good at, and what not; classes and labels are told beside it, by class.

    Attributes:
        calibration: of classes and labels; None of numbers.
        residuals: of numbers; None of others.
        worst: the examples with the largest loss, the worst first.
    """

    calibration: Calibration | None
    residuals: Residuals | None
    worst: tuple[WorstExample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongExample:
    """An example that the model takes for another class.

    Attributes:
        name: what its source calls it: a file's path, or e.g. ``train[17]``.
        label: the class it is of.
        said: the class the model takes it for.
        probability: that the model gives to ``said``, in [0, 1].
    """

    name: str
    label: str
    said: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """What a model is worth, and on what.

    Attributes:
        task: the model's.
        model: its id.
        split: of the task.
        num_examples: of the split.
        metric: the task's.
        quality: by that, in [0, 1].
        correct: how many of them the model gets right; None where not classes come out.
        accuracy: their share, in [0, 1]; likewise.
        interval: Wilson's 95 % interval: what the accuracy on all data like these may be, for all that so many show;
            likewise.
        most_frequent: the accuracy of always saying the class that is most frequent in the split; likewise.
        at_chance: whether the model is, by the task's metric, no better than always saying one class, as far as so many
            examples can tell; likewise.
        by_class: a score per class or label; None if it was not asked for, and of numbers.
        confused: which classes are taken for which, the most frequent first; likewise, and of labels.
        wrong: every example that is not right, those the model is surest of first; None if it was not asked for.
        report: how far to trust it, and where it fails; likewise.
        stored: whether it is told as somebody stored it beside the commit, and nothing was measured.
        wall_s: what it took; 0 of one that was stored.
    """

    task: str
    model: str
    split: str
    num_examples: int
    metric: str
    quality: float
    correct: int | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    most_frequent: float | None = None
    at_chance: bool | None = None
    by_class: tuple[ClassScore, ...] | None = None
    confused: tuple[Confusion, ...] | None = None
    wrong: tuple[WrongExample, ...] | None = None
    report: Report | None = None
    stored: bool = False
    wall_s: float
