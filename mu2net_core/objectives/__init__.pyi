from .classify import Classify
from .multilabel import Multilabel
from .objective import Objective, Sums, add
from .registry import OBJECTIVES, objective_of
from .regress import Regress

__all__ = [
    "OBJECTIVES",
    "Classify",
    "Multilabel",
    "Objective",
    "Regress",
    "Sums",
    "add",
    "objective_of",
]
