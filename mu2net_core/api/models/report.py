"""What ``eval --report`` tells of a model beside its quality: how far to trust it, and where it fails. Values."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Calibration", "Part", "Reliability", "Report", "Residuals", "WorstExample"]


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
