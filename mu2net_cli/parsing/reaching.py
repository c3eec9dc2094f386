"""Options that say how to reach a storage; ``remote add``, ``remote set`` and ``clone`` share them."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Account", "Anonymous", "Endpoint", "Profile", "Project", "Region", "reaching"]

Endpoint = Annotated[
    str | None, typer.Option("--endpoint", metavar="URL", help="Where an S3-compatible server is, if not at Amazon.")
]
Region = Annotated[str | None, typer.Option("--region", metavar="NAME", help="The region of an S3 bucket.")]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="Whose credentials of ~/.aws to use for S3.")
]
Anonymous = Annotated[bool, typer.Option("--anonymous", help="Use no credentials: to read what is open to everybody.")]
Account = Annotated[str | None, typer.Option("--account", metavar="NAME", help="The Azure storage account.")]
Project = Annotated[str | None, typer.Option("--project", metavar="NAME", help="The Google Cloud project.")]


def reaching(
    *,
    endpoint: str | None,
    region: str | None,
    profile: str | None,
    anonymous: bool,
    account: str | None,
    project: str | None,
) -> dict[str, str]:
    """Returns the options that were given, by name."""
    given = {
        "endpoint": endpoint,
        "region": region,
        "profile": profile,
        "anonymous": "true" if anonymous else None,
        "account": account,
        "project": project,
    }
    return {name: value for name, value in given.items() if value is not None}
