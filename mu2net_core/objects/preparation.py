"""How training images can be changed at random: the hyperparameters there are, and the values they can have."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PREPARATION"]

_SMALLEST_CROP = 0.01

PREPARATION: Mapping[str, tuple[float, float, float]] = {
    "crop_area_min": (1.0, _SMALLEST_CROP, 1.0),
    "crop_aspect_min": (1.0, _SMALLEST_CROP, 1.0),
    "flip_left_right": (0.0, 0.0, 1.0),
    "shift": (0.0, 0.0, 0.5),
    "rotation": (0.0, 0.0, 180.0),
    "scale": (0.0, 0.0, 0.9),
    "shear": (0.0, 0.0, 60.0),
    "brightness": (0.0, 0.0, 1.0),
    "contrast": (0.0, 0.0, 1.0),
    "saturation": (0.0, 0.0, 1.0),
    "hue": (0.0, 0.0, 0.5),
    "jpeg_quality": (0.0, 0.0, 1.0),
}
"""By name: the value that changes nothing, the least and the greatest."""
