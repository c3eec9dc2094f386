from .dropped import GRACE, Aside, aside_tips, bring_back, forget_asides, in_effect, set_aside
from .gc import GcReport, collect
from .place import Place, here, there
from .promised import only_there
from .purge_survey import Survey, survey
from .purging import SETTLE_S, PurgeReport, bury, follow, store_purge_commit
from .reachable import Tips, reach, ref_tips, state_tips

__all__ = [
    "GRACE",
    "SETTLE_S",
    "Aside",
    "GcReport",
    "Place",
    "PurgeReport",
    "Survey",
    "Tips",
    "aside_tips",
    "bring_back",
    "bury",
    "collect",
    "follow",
    "forget_asides",
    "here",
    "in_effect",
    "only_there",
    "reach",
    "ref_tips",
    "set_aside",
    "state_tips",
    "store_purge_commit",
    "survey",
    "there",
]
