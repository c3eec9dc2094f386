from .architecture import ArchitectureFamily, Vocabulary
from .bert import Bert
from .byte_transformer import ByteTransformer
from .checkpoint import Checkpoint, read_checkpoint
from .convnet import ConvNet
from .inputs import InputSpec
from .kind import LayerKind, by_name
from .kinds.head import Head
from .module_kind import ModuleKind
from .options import OPTIONS, PUBLISHED
from .positions import resize_positions
from .pretrained.files import PICKLES, SAFETENSORS, check_no_pickle, model_files
from .pretrained.reading import PublishedModel, open_published
from .pretrained.text import PublishedText, is_text, open_published_text
from .registry import family_named
from .spec import Arrays, LayerSpec, Params, Precision, Shapes
from .table_transformer import Curves, TableTransformer
from .vit import VisionTransformer

__all__ = [
    "OPTIONS",
    "PICKLES",
    "PUBLISHED",
    "SAFETENSORS",
    "ArchitectureFamily",
    "Arrays",
    "Bert",
    "ByteTransformer",
    "Checkpoint",
    "ConvNet",
    "Curves",
    "Head",
    "InputSpec",
    "LayerKind",
    "LayerSpec",
    "ModuleKind",
    "Params",
    "Precision",
    "PublishedModel",
    "PublishedText",
    "Shapes",
    "TableTransformer",
    "VisionTransformer",
    "Vocabulary",
    "by_name",
    "check_no_pickle",
    "family_named",
    "is_text",
    "model_files",
    "open_published",
    "open_published_text",
    "read_checkpoint",
    "resize_positions",
]
