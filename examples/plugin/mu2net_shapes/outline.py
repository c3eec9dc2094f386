"""What goes in: the outline of a shape, as distances from its middle; float32 [points], which models take as it is."""

from __future__ import annotations

from mu2net_core.data import Modality


class Outlines(Modality):
    """All is done as for any arrays of one shape."""

    kind = "outline"
    plural = "outlines"


OUTLINES = Outlines()
