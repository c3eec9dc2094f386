"""Options that say how to reach a storage; ``remote add``, ``remote set`` and ``clone`` share them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

__all__ = ["reachable"]

_Text = str | None
_OPTIONS: dict[str, Any] = {
    "endpoint": Annotated[
        _Text, typer.Option("--endpoint", metavar="URL", help="Where an S3-compatible server is, if not at Amazon.")
    ],
    "region": Annotated[_Text, typer.Option("--region", metavar="NAME", help="The region of an S3 bucket.")],
    "profile": Annotated[
        _Text, typer.Option("--profile", metavar="NAME", help="Whose credentials of ~/.aws to use for S3.")
    ],
    "anonymous": Annotated[
        bool, typer.Option("--anonymous", help="Use no credentials: to read what is open to everybody.")
    ],
    "account": Annotated[_Text, typer.Option("--account", metavar="NAME", help="The Azure storage account.")],
    "project": Annotated[_Text, typer.Option("--project", metavar="NAME", help="The Google Cloud project.")],
}


def reachable(command: Callable[..., None]) -> Callable[..., None]:
    """Returns a command with these options in place of its parameter ``options``, which gets what was given of them."""

    @wraps(command)
    def run(*args: Any, **given: Any) -> None:
        values = {name: given.pop(name) for name in _OPTIONS}
        values["anonymous"] = "true" if values["anonymous"] else None
        command(*args, options={name: value for name, value in values.items() if value is not None}, **given)

    signature = inspect.signature(command, eval_str=True)
    parameters = list[inspect.Parameter]()
    for name, parameter in signature.parameters.items():
        parameters += _params() if name == "options" else [parameter]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _params() -> list[inspect.Parameter]:
    """Returns the options as parameters of a function."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(name, kind, default=False if name == "anonymous" else None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]
