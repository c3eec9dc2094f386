"""Architectures: what a model computes. Nothing here knows of repositories, tasks or evolution."""

from mu2net_core.nn.architecture import ArchitectureFamily, Vocabulary
from mu2net_core.nn.checkpoint import Checkpoint, read_checkpoint
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import LayerKind, by_name
from mu2net_core.nn.module_kind import ModuleKind
from mu2net_core.nn.positions import resize_positions
from mu2net_core.nn.registry import family_named
from mu2net_core.nn.spec import Arrays, LayerSpec, Params, Precision, Shapes
from mu2net_core.nn.vit import VisionTransformer

__all__ = [
    "ArchitectureFamily",
    "Arrays",
    "Checkpoint",
    "InputSpec",
    "LayerKind",
    "LayerSpec",
    "ModuleKind",
    "Params",
    "Precision",
    "Shapes",
    "VisionTransformer",
    "Vocabulary",
    "by_name",
    "family_named",
    "read_checkpoint",
    "resize_positions",
]
