"""Architectures: what a model computes. Nothing here knows of repositories, tasks or evolution."""

from mu2net_core.nn.architecture import ArchitectureFamily, Arrays, LayerSpec, Params, Precision, Shapes
from mu2net_core.nn.checkpoint import Checkpoint, read_checkpoint
from mu2net_core.nn.positions import resize_positions
from mu2net_core.nn.registry import family_named
from mu2net_core.nn.vit import VisionTransformer

__all__ = [
    "ArchitectureFamily",
    "Arrays",
    "Checkpoint",
    "LayerSpec",
    "Params",
    "Precision",
    "Shapes",
    "VisionTransformer",
    "family_named",
    "read_checkpoint",
    "resize_positions",
]
