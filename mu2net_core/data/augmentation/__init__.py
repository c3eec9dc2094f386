"""Random changes of training images on the device: one compiled program per shape, whatever the settings.

It needs JAX, which listing and describing data sets does not: the modality of images imports it to change some.
"""

from mu2net_core.data.augmentation.draw import Draw, draw
from mu2net_core.data.augmentation.pipeline import augment, augment_seeded
from mu2net_core.data.augmentation.settings import Augmentation, is_identity

__all__ = ["Augmentation", "Draw", "augment", "augment_seeded", "draw", "is_identity"]
