"""What a model brings to read examples with: the tokenizer of an encoder of texts, which is part of its embedding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from blake3 import blake3

from mu2net_core.data import Options
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import InputSpec
from mu2net_core.objects import Model
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Counter, bring_components
from mu2net_core.tokenizing import TOKENIZER

__all__ = ["brought_options"]

_LAYER = "token_embedding"


def brought_options(repo: Repository, input_spec: InputSpec) -> Options:
    """Returns the options of how examples are read that come with models which take ``input_spec``.

    Raises:
        CorruptObjectError: the tokenizer is not that of the models.
    """
    wanted = input_spec.tokenizer
    return {TOKENIZER: _tokenizer(repo, wanted)} if wanted else {}


def _tokenizer(repo: Repository, wanted: str) -> str:
    for model in _models(repo):
        ref = model.component(_LAYER)
        if model.architecture.config.get("tokenizer") == wanted and ref is not None:
            bring_components(repo, [ref], counter=Counter(None), what="the tokenizer")
            found = repo.objects.component(ref.id).params.get("tokenizer", np.zeros(0))
            data = found.astype(np.uint8).tobytes()
            if blake3(data).hexdigest() == wanted:
                return data.decode()
    raise CorruptObjectError(f"No root or model here has the tokenizer {wanted[:10]} that texts are to be read with.")


def _models(repo: Repository) -> Iterator[Model]:
    """Yields the roots, then the models of all tasks."""
    for oid in repo.refs.roots().values():
        yield repo.objects.model(oid)
    for state in repo.refs.heads().values():
        if (model := repo.objects.commit(state.commit).model) is not None:
            yield repo.objects.model(model)
