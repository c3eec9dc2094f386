"""The kinds of layers that come with mu2net, one a file; families stand them in rows."""

from mu2net_core.nn.kinds.adapter import Adapter
from mu2net_core.nn.kinds.byte_embedding import ByteEmbedding
from mu2net_core.nn.kinds.class_token import ClassToken
from mu2net_core.nn.kinds.column_embedding import ColumnEmbedding
from mu2net_core.nn.kinds.conv_stem import ConvStem
from mu2net_core.nn.kinds.convnext_block import ConvNextBlock
from mu2net_core.nn.kinds.downsampling import Downsampling
from mu2net_core.nn.kinds.encoder_block import EncoderBlock
from mu2net_core.nn.kinds.encoder_norm import EncoderNorm, MeanNorm
from mu2net_core.nn.kinds.head import Head
from mu2net_core.nn.kinds.lora import Lora
from mu2net_core.nn.kinds.patch_embedding import PatchEmbedding
from mu2net_core.nn.kinds.peak_pooling import PeakPooling
from mu2net_core.nn.kinds.pooling import Pooling
from mu2net_core.nn.kinds.position_embedding import PositionEmbedding
from mu2net_core.nn.kinds.post_norm_block import PostNormBlock
from mu2net_core.nn.kinds.residual_block import ResidualBlock
from mu2net_core.nn.kinds.token_embedding import TokenEmbedding
from mu2net_core.nn.kinds.token_pooling import TokenPooling
from mu2net_core.nn.kinds.token_sum import TokenSum

__all__ = [
    "Adapter",
    "ByteEmbedding",
    "ClassToken",
    "ColumnEmbedding",
    "ConvNextBlock",
    "ConvStem",
    "Downsampling",
    "EncoderBlock",
    "EncoderNorm",
    "Head",
    "Lora",
    "MeanNorm",
    "PatchEmbedding",
    "PeakPooling",
    "Pooling",
    "PositionEmbedding",
    "PostNormBlock",
    "ResidualBlock",
    "TokenEmbedding",
    "TokenPooling",
    "TokenSum",
]
