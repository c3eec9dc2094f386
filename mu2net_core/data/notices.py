"""What somebody should know of how encoded images were read: a sentence for each kind, with how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mu2net_core.data.images import Picture
from mu2net_core.data.wording import counted

__all__ = ["Notices"]

_WHITE = 255
_TOLD = 3


@dataclass(slots=True)
class _Named:
    """How many there are, and the first of their names."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        self.names = sorted([*self.names, name])[:_TOLD]

    def __str__(self) -> str:
        return ", ".join(self.names) + (f" and {self.count - _TOLD} more" if self.count > _TOLD else "")


class Notices:
    """Counts what was decided on the way from files to pixels; takes the same memory however many there are."""

    def __init__(self) -> None:
        self._cut, self._dark = _Named(), _Named()
        self._transparent = 0
        self._blank = 0
        self._first_of_many = 0

    def see(self, name: str, picture: Picture) -> None:
        """Remembers an image."""
        self._transparent += picture.transparent
        self._blank += picture.transparent and int(picture.pixels.min()) == _WHITE
        self._first_of_many += picture.first_of_many
        if picture.deep is not None and not picture.deep.fits:
            self._cut.add(name)
        if picture.deep is not None and picture.deep.all_but_black:
            self._dark.add(name)

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
        if self._cut.count:
            yield f"{self._cut.count} {of_all} with values beyond the range, which are cut off: {self._cut}"
        if self._dark.count:
            verb = "is" if self._dark.count == 1 else "are"
            yield (
                f"{self._dark.count} {of_all} {verb} all but black, {self._dark}: if fewer bits were used for these "
                "than for others, bring all to one scale first"
            )
