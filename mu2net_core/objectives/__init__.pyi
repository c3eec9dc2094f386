from .by_class import Auroc, BalancedAccuracy, MacroF1
from .classify import Classify
from .multilabel import MeanAveragePrecision, Multilabel, average_precisions
from .objective import Objective, Sums, add
from .registry import OBJECTIVES, objective_of
from .regress import MeanError, Regress

__all__ = [
    "OBJECTIVES",
    "Auroc",
    "BalancedAccuracy",
    "Classify",
    "MacroF1",
    "MeanAveragePrecision",
    "MeanError",
    "Multilabel",
    "Objective",
    "Regress",
    "Sums",
    "add",
    "average_precisions",
    "objective_of",
]
