"""What somebody should know of how encoded images were read: a sentence for each kind, with how many there are."""

from __future__ import annotations

from collections.abc import Iterator

from mu2net_core.data.deep import Deep
from mu2net_core.data.images import Picture
from mu2net_core.data.wording import counted, some

__all__ = ["Notices"]

_WHITE = 255


class Notices:
    """Counts what was decided on the way from files to pixels.

    Attributes:
        deep: names of images whose values were no bytes, and what these were.
    """

    def __init__(self) -> None:
        self.deep: list[tuple[str, Deep]] = []
        self._transparent = 0
        self._blank = 0
        self._first_of_many = 0

    def see(self, name: str, picture: Picture) -> None:
        """Remembers an image."""
        self._transparent += picture.transparent
        self._blank += picture.transparent and int(picture.pixels.min()) == _WHITE
        self._first_of_many += picture.first_of_many
        if picture.deep is not None:
            self.deep.append((name, picture.deep))

    def of_shape(self, num_images: int) -> Iterator[str]:
        """Yields what was left out of ``num_images``, or laid behind them."""
        of_all = f"of {counted(num_images, 'image')}"
        if self._transparent:
            yield f"{self._transparent} {of_all} with transparent parts: white lies behind them"
        if self._blank:
            yield f"{self._blank} {of_all} are nothing but white then: put another colour behind them"
        if self._first_of_many:
            yield f"{self._first_of_many} {of_all} in files of several (animations, pages): the first of each is used"

    def of_values(self, num_images: int) -> Iterator[str]:
        """Yields what was cut off of ``num_images``, and which are all but black."""
        of_all = f"of {counted(num_images, 'image')}"
        if cut := sorted(name for name, deep in self.deep if not deep.fits):
            yield f"{len(cut)} {of_all} with values beyond the range, which are cut off: {some(cut)}"
        if dark := sorted(name for name, deep in self.deep if deep.all_but_black):
            yield (
                f"{len(dark)} {of_all} {'is' if len(dark) == 1 else 'are'} all but black, {some(dark)}: if fewer bits "
                "were used for these than for others, bring all to one scale first"
            )
