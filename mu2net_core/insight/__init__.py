"""What the manifests tell: where layers come from, which task taught them, how tasks compare. Pure functions."""

from mu2net_core.insight.leaderboard import Leaderboard, Row, leaderboard
from mu2net_core.insight.lineage import Ancestor, ComponentLineage, Step, ancestors, component_lineages, model_chain
from mu2net_core.insight.transfer import Transfer, transfer

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
