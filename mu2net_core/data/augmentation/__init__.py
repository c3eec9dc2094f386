"""Random changes of training images on the device: one compiled program per shape, whatever the settings.

Not imported by ``mu2net_core.data`` itself: it needs JAX, and listing data sets does not.
"""

from mu2net_core.data.augmentation.draw import Draw, draw
from mu2net_core.data.augmentation.pipeline import augment
from mu2net_core.data.augmentation.settings import Augmentation, is_identity

__all__ = ["Augmentation", "Draw", "augment", "draw", "is_identity"]
