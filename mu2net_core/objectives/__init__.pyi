from .classify import Classify
from .multilabel import Multilabel
from .objective import Objective, Sums, add
from .registry import objective_of
from .regress import Regress

__all__ = [
    "Classify",
    "Multilabel",
    "Objective",
    "Regress",
    "Sums",
    "add",
    "objective_of",
]
