from .architecture import ArchitectureFamily, Vocabulary
from .checkpoint import Checkpoint, read_checkpoint
from .convnet import ConvNet
from .inputs import InputSpec
from .kind import LayerKind, by_name
from .kinds.head import Head
from .module_kind import ModuleKind
from .options import OPTIONS
from .positions import resize_positions
from .pretrained.files import PICKLES, SAFETENSORS, check_no_pickle, model_files
from .pretrained.reading import PublishedModel, open_published
from .registry import family_named
from .spec import Arrays, LayerSpec, Params, Precision, Shapes
from .vit import VisionTransformer

__all__ = [
    "OPTIONS",
    "PICKLES",
    "SAFETENSORS",
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
    "PublishedModel",
    "Shapes",
    "VisionTransformer",
    "Vocabulary",
    "by_name",
    "check_no_pickle",
    "family_named",
    "model_files",
    "open_published",
    "read_checkpoint",
    "resize_positions",
]
