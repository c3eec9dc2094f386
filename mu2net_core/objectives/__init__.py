"""What a model's outputs are worth: losses to train by, qualities to compare by. See README.md."""

from mu2net_core.objectives.classify import Classify
from mu2net_core.objectives.multilabel import Multilabel
from mu2net_core.objectives.objective import Objective, Sums, add
from mu2net_core.objectives.registry import objective_of
from mu2net_core.objectives.regress import Regress

__all__ = ["Classify", "Multilabel", "Objective", "Regress", "Sums", "add", "objective_of"]
