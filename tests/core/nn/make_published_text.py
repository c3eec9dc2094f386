"""Makes ``published_text.json``: what the public libraries compute, for ``test_published_text.py`` to compare with.

    python -m venv /tmp/public && /tmp/public/bin/pip install torch transformers tokenizers safetensors lazy-loader
    PYTHONPATH=. /tmp/public/bin/python tests/core/nn/make_published_text.py

Weights come from seeds, so only configs, tokenizers, names, shapes and what comes out are written.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from mu2net_core.testing.building.published import seeded_tensors

TARGET = Path(__file__).with_name("published_text.json")
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
LENGTH = 12
TEXTS = [
    "A lovely film, isn't it?",
    "Übergrößen: naïve café — 3.5 %",
    "東京 and Kyōto",
    "",
    "  spaces \t and\nlines  ",
    "unbelievably unlovely films filmed again and again and again and again and again",
    "\x00\u200bodd [MASK] </s> \U0001f600",
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "lovely", "un", "##lovely", "##s", "##ed", "it"]
WORDS += ["and", "again", "spaces", "lines", ",", "?", "'", "isn", "t", "is", "##n", "3", ".", "5", "東", "cafe", ":"]


def word_piece() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", WORDS.index("[CLS]")), ("[SEP]", WORDS.index("[SEP]"))]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    made.add_special_tokens([word for word in WORDS if word.startswith("[")])
    made.enable_padding(length=128)
    return made


def byte_pairs() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return made


def reference(config: Any, model_class: Any, tokenizer: Any, seed: int) -> dict[str, Any]:
    import torch

    config.vocab_size = tokenizer.get_vocab_size()
    with TemporaryDirectory() as folder:
        model_class(config).save_pretrained(folder)
        path = Path(folder) / "model.safetensors"
        shapes = {name: tuple(array.shape) for name, array in load_file(path).items()}
        save_file(seeded_tensors(shapes, seed), path, metadata={"format": "pt"})
        said = json.loads((Path(folder) / "config.json").read_text())
        model = model_class.from_pretrained(folder, attn_implementation="eager").eval()
    written = json.loads(tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(LENGTH)
    ids = [tokenizer.encode(text).ids for text in TEXTS]
    mask = torch.tensor([[1] * len(row) + [0] * (LENGTH - len(row)) for row in ids])
    filled = torch.tensor([row + [config.pad_token_id] * (LENGTH - len(row)) for row in ids])
    with torch.no_grad():
        hidden = model(input_ids=filled, attention_mask=mask).last_hidden_state.numpy()
    assert np.isfinite(hidden).all()
    states = [
        [[float(f"{x:.7g}") for x in token] for token in one[: len(row)]] for one, row in zip(hidden, ids, strict=True)
    ]
    kept = {
        "model_type",
        "vocab_size",
        "max_position_embeddings",
        "type_vocab_size",
        "hidden_act",
        "layer_norm_eps",
        *SIZES,
    }
    return {
        "config": {name: value for name, value in said.items() if name in kept},
        "tokenizer": written,
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        "ids": ids,
        "hidden": states,
    }


def main() -> None:
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

    made = {
        "bert": reference(BertConfig(max_position_embeddings=20, **SIZES), BertModel, word_piece(), 1),
        "roberta": reference(
            RobertaConfig(max_position_embeddings=22, type_vocab_size=1, layer_norm_eps=1e-5, **SIZES),
            RobertaModel,
            byte_pairs(),
            1,
        ),
    }
    TARGET.write_text(json.dumps({"length": LENGTH, "texts": TEXTS, "models": made}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
