"""Random changes of training images on the device: one compiled program per shape, whatever the settings.

Not imported by ``mu2net_core.data`` itself: it needs JAX, and listing data sets does not.
"""

from mu2net_core.data.augment.draw import Draw, draw
from mu2net_core.data.augment.pipeline import augment
from mu2net_core.data.augment.settings import Augmentation, is_identity

__all__ = ["Augmentation", "Draw", "augment", "draw", "is_identity"]
