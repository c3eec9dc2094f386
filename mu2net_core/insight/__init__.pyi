from .lineage import Ancestor, ComponentLineage, Step, ancestors, component_lineages, model_chain
from .ranking import Leaderboard, Row, leaderboard
from .transferred import Transfer, transfer

__all__ = [
    "Ancestor",
    "ComponentLineage",
    "Leaderboard",
    "Row",
    "Step",
    "Transfer",
    "ancestors",
    "component_lineages",
    "leaderboard",
    "model_chain",
    "transfer",
]
