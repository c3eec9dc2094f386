"""Architectures: what a model computes. Nothing here knows of repositories, tasks or evolution."""

from mu2net_core.nn.architecture import ArchitectureFamily, LayerSpec, Params
from mu2net_core.nn.registry import family_named
from mu2net_core.nn.vit import VisionTransformer

__all__ = ["ArchitectureFamily", "LayerSpec", "Params", "VisionTransformer", "family_named"]
