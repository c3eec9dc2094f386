from .architecture import ArchitectureFamily, Vocabulary
from .checkpoint import Checkpoint, read_checkpoint
from .convnet import ConvNet
from .inputs import InputSpec
from .kind import LayerKind, by_name
from .kinds.head import Head
from .module_kind import ModuleKind
from .positions import resize_positions
from .registry import family_named
from .spec import Arrays, LayerSpec, Params, Precision, Shapes
from .vit import VisionTransformer

__all__ = [
    "ArchitectureFamily",
    "Arrays",
    "Checkpoint",
    "ConvNet",
    "Head",
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
