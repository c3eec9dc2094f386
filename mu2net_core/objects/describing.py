"""What a dataclass's docstring says of its fields: the one place where settings and results are described."""

from __future__ import annotations

import inspect
import re

__all__ = ["described"]

_SECTION = re.compile(r"^Attributes:\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)


def described(cls: type) -> dict[str, str]:
    """Returns by field the text in the section ``Attributes`` of the class's docstring, on one line, without markup."""
    section = _SECTION.search(inspect.cleandoc(cls.__doc__ or ""))
    fields = _FIELD.findall(section[1]) if section else ()
    return {name: " ".join(text.replace("``", "").split()).rstrip(".") for name, text in fields}
