"""The kinds of layers that come with mu2net, one a file; families stand them in rows."""

from mu2net_core.nn.kinds.adapter import Adapter
from mu2net_core.nn.kinds.class_token import ClassToken
from mu2net_core.nn.kinds.encoder_block import EncoderBlock
from mu2net_core.nn.kinds.encoder_norm import EncoderNorm
from mu2net_core.nn.kinds.head import Head
from mu2net_core.nn.kinds.patch_embedding import PatchEmbedding
from mu2net_core.nn.kinds.position_embedding import PositionEmbedding

__all__ = [
    "Adapter",
    "ClassToken",
    "EncoderBlock",
    "EncoderNorm",
    "Head",
    "PatchEmbedding",
    "PositionEmbedding",
]
