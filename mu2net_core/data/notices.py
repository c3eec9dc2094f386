"""What somebody should know of how encoded images were read: a sentence for each kind, with how many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from mu2net_core.data.images import Picture
from mu2net_core.data.wording import counted

__all__ = ["Notices", "remarks_on"]

_WHITE = 255
_TOLD = 3


def remarks_on(picture: Picture) -> tuple[str, ...]:
    """Returns what is to be known of how an image was read, as ``Prediction.remarks`` says."""
    deep = picture.deep
    found = {
        "transparent": picture.transparent,
        "blank": picture.transparent and int(picture.pixels.min()) == _WHITE,
        "first of several": picture.first_of_many,
        "cut off": deep is not None and not deep.fits,
        "all but black": deep is not None and deep.all_but_black,
    }
    return tuple(remark for remark, holds in found.items() if holds)


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
        self._found: defaultdict[str, _Named] = defaultdict(_Named)

    def see(self, name: str, picture: Picture) -> tuple[str, ...]:
        """Remembers an image, and returns what is to be known of it."""
        remarks = remarks_on(picture)
        for remark in remarks:
            self._found[remark].add(name)
        return remarks

    def of_shape(self, num_images: int) -> Iterator[str]:
        """Yields what was left out of ``num_images``, or laid behind them."""
        yield from self._sentences(
            num_images,
            ("transparent", "with transparent parts: white lies behind them"),
            ("blank", "{are} nothing but white then: put another colour behind them"),
            ("first of several", "in files of several (animations, pages): the first of each is used"),
        )

    def of_values(self, num_images: int) -> Iterator[str]:
        """Yields what was cut off of ``num_images``, and which are all but black."""
        yield from self._sentences(
            num_images,
            ("cut off", "with values beyond the range, which are cut off: {names}"),
            (
                "all but black",
                "{are} all but black, {names}: if fewer bits were used for these than for others, bring all to one "
                "scale first",
            ),
        )

    def _sentences(self, num_images: int, *kinds: tuple[str, str]) -> Iterator[str]:
        for remark, text in kinds:
            if remark in self._found:
                found = self._found[remark]
                said = text.format(are="is" if found.count == 1 else "are", names=found)
                yield f"{found.count} of {counted(num_images, 'image')} {said}"
