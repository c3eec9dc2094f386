"""The presets that come with mu2net, and where those of other packages are found."""

from __future__ import annotations

from collections.abc import Mapping

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Architecture, Hyperparameter
from mu2net_core.plugins import Registry
from mu2net_core.presets.preset import Preset, TrainingConfig, short_cycles
from mu2net_core.presets.tables import table_presets
from mu2net_core.search import SearchSpace

__all__ = ["PRESETS", "PRESETS_ADDED", "preset_named"]

_Values = Mapping[str, tuple[Hyperparameter, ...]]

_VALUES: _Values = {
    "mu": tuple(round(0.02 * step, 2) for step in range(1, 16)),
    "learning_rate": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5),
    "warmup_ratio": (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4),
    "momentum": (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    "nesterov": (False, True),
    "optimizer": ("sgd",),
    "beta2": (0.999,),
    "weight_decay": (0.0,),
    "label_smoothing": (0.0,),
}
"""The papers have one optimizer, so what only AdamW or smoothed labels need has one value, which never moves."""

_DEFAULTS: Mapping[str, Hyperparameter] = {
    "mu": 0.1,
    "learning_rate": 1e-2,
    "warmup_ratio": 0.1,
    "momentum": 0.9,
    "nesterov": False,
    "optimizer": "sgd",
    "beta2": 0.999,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
}
_DELTAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
_WHOLE_VALUES: _Values = {
    **_VALUES,
    "adapter_dim": (8, 16, 32, 64, 128),
    "crop_area_min": (0.05, 0.5, 0.95, 1.0),
    "crop_aspect_min": (0.5, 0.75, 1.0),
    "flip_left_right": (False, True),
    "brightness": _DELTAS,
    "contrast": _DELTAS,
    "saturation": _DELTAS,
    "hue": _DELTAS,
    "jpeg_quality": _DELTAS,
}
_WHOLE_DEFAULTS: Mapping[str, Hyperparameter] = {
    **_DEFAULTS,
    "adapter_dim": 32,
    "crop_area_min": 1.0,
    "crop_aspect_min": 1.0,
    "flip_left_right": False,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "jpeg_quality": 0.0,
}
_ADAMW_VALUES: _Values = {
    "optimizer": ("adamw",),
    "learning_rate": (5e-4, 1e-3, 2e-3),
    "warmup_ratio": (0.1, 0.2, 0.3, 0.4),
    "momentum": (0.8, 0.9, 0.95),
    "nesterov": (False,),
    "beta2": (0.99, 0.999),
    "weight_decay": (0.01, 0.05, 0.1),
    "label_smoothing": (0.0, 0.05, 0.1),
    "copy_all": (0.0, 0.5, 1.0),
}
_ADAMW_DEFAULTS: Mapping[str, Hyperparameter] = {
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "warmup_ratio": 0.3,
    "beta2": 0.99,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "copy_all": 1.0,
}
"""What a random root on small images learns fastest with; chosen on validation splits (docs/experiments.md)."""

_AFFINE_VALUES: _Values = {
    "shift": (0.0, 0.05, 0.1, 0.15),
    "rotation": (0.0, 5.0, 10.0, 15.0),
    "scale": (0.0, 0.05, 0.1, 0.2),
    "shear": (0.0, 5.0, 10.0, 15.0),
}
_AFFINE_DEFAULTS: Mapping[str, Hyperparameter] = {"rotation": 5.0, "scale": 0.05, "shear": 5.0}
"""So little that it harmed neither characters nor pictures of clothes (docs/experiments.md); the papers have none."""

_TEXT_DEFAULTS: Mapping[str, Hyperparameter] = {"learning_rate": 1e-3}

_TUNED_DEFAULTS: Mapping[str, Hyperparameter] = {
    "learning_rate": 1e-4,
    "beta2": 0.999,
    "weight_decay": 0.01,
    "label_smoothing": 0.0,
    "warmup_ratio": 0.1,
}
"""Of presets for published encoders, whose layers know something already: smaller steps than from random numbers."""

_BATCH = 32
_EPOCHS = 3
"""Of a cycle of a ConvNet, where they take more steps than it has at least: a random root needs steps however few
examples there are, and many examples are worth more of them."""

_LONGEST = 8
"""By how many times a cycle may so be longer than its least number of steps."""

_STRUCTURE = ("adapter", "block")
_SMALL_IMAGES = tuple(range(16, 113, 16))
_LARGE_IMAGES = (224, 384)


def _vit(image: int, patch: int, width: int, heads: int, mlp: int) -> Architecture:
    sizes = {"image": image, "patch": patch, "width": width, "heads": heads, "mlp": mlp, "channels": 3}
    return Architecture(name="vit", config=sizes)


def _space(root_layers: int, most_layers: int, images: tuple[int, ...], image: int, mu: float = 0.1) -> SearchSpace:
    return SearchSpace(
        values={**_WHOLE_VALUES, "num_layers": tuple(range(most_layers + 1)), "image_size": images},
        defaults={**_WHOLE_DEFAULTS, "num_layers": root_layers, "image_size": image, "mu": mu},
        structural=("adapter",),
    )


def _convnet(
    name: str,
    summary: str,
    *,
    patch: int,
    images: tuple[int, ...],
    image: int,
    steps: int = 1_800,
    shift: float = 0.05,
) -> Preset:
    """Returns a preset for images whose sides are eight to 28 times ``patch``.

    Args:
        name: of the preset.
        summary: one line for people.
        patch: pixels between the first tokens.
        images: sides that evolution may try.
        image: the side that a root begins with.
        steps: of a training cycle, at least; where ``_EPOCHS`` epochs have more, that many, up to ``_LONGEST`` times as
            many.
        shift: by how much of their side training images move at first.
    """
    sizes = {"image": image, "patch": patch, "stem": 32, "conv_width": 64, "width": 128, "heads": 4, "mlp": 384}
    blocks: _Values = {"num_layers": (1, 2, 3), "num_residual_blocks": (1, 2)}
    return Preset(
        name=name,
        summary=summary,
        architecture=Architecture(name="convnet", config={**sizes, "channels": 3}),
        space=SearchSpace(
            values={**_WHOLE_VALUES, **_ADAMW_VALUES, **_AFFINE_VALUES, **blocks, "image_size": images},
            defaults={
                **_WHOLE_DEFAULTS,
                **_ADAMW_DEFAULTS,
                **_AFFINE_DEFAULTS,
                "shift": shift,
                "num_layers": 2,
                "num_residual_blocks": 1,
                "image_size": image,
            },
            structural=_STRUCTURE,
            crossing=True,
        ),
        training=TrainingConfig(
            generations=2,
            children=1,
            validations=1,
            batch_size=_BATCH,
            min_steps=steps,
            epochs=_EPOCHS,
            samples_cap=_LONGEST * steps * _BATCH,
            probes=8,
            refit_from=2,
        ),
    )


def _bytes(name: str, summary: str, *, length: int, steps: int) -> Preset:
    """Returns a preset for texts of which the first ``length`` bytes are read, with ``steps`` in a training cycle."""
    sizes = {"rows": 2**16, "row_width": 64, "positions": 64, "width": 192, "heads": 3, "mlp": 768}
    return Preset(
        name=name,
        summary=summary,
        architecture=Architecture(name="bytes", config=sizes),
        space=SearchSpace(
            values={
                **_VALUES,
                **_ADAMW_VALUES,
                "adapter_dim": _WHOLE_VALUES["adapter_dim"],
                "num_layers": (0, 1, 2, 3),
                "text_length": (64, 128, 192, 256),
            },
            defaults={
                **_DEFAULTS,
                **_ADAMW_DEFAULTS,
                **_TEXT_DEFAULTS,
                "adapter_dim": 32,
                "num_layers": 0,
                "text_length": length,
            },
            structural=_STRUCTURE,
            crossing=True,
        ),
        training=short_cycles(steps, batch_size=_BATCH),
    )


def _bert(name: str, summary: str, *, blocks: int, width: int, heads: int) -> Preset:
    """Returns a preset for roots that are published encoders of that size."""
    sizes = {"vocabulary": 30_522, "positions": 512, "width": width, "heads": heads, "mlp": 4 * width}
    return Preset(
        name=name,
        summary=summary,
        architecture=Architecture(name="bert", config=sizes),
        space=SearchSpace(
            values={
                **_VALUES,
                **_ADAMW_VALUES,
                "learning_rate": (2e-5, 5e-5, 1e-4, 2e-4),
                "adapter_dim": _WHOLE_VALUES["adapter_dim"],
                "num_layers": (blocks,),
                "text_length": (48,),
            },
            defaults={
                **_DEFAULTS,
                **_ADAMW_DEFAULTS,
                **_TUNED_DEFAULTS,
                "adapter_dim": 32,
                "num_layers": blocks,
                "text_length": 48,
            },
            structural=("adapter",),
        ),
        training=TrainingConfig(
            generations=2,
            children=1,
            validations=2,
            batch_size=_BATCH,
            samples_cap=75 * _BATCH,
            min_steps=75,
            probes=8,
        ),
    )


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="vit-mini",
            summary="A small ViT for 8x8 images: demonstrations and tests on a laptop.",
            architecture=_vit(image=8, patch=2, width=96, heads=6, mlp=192),
            space=SearchSpace(
                values={**_VALUES, "num_layers": (1, 2)},
                defaults={**_DEFAULTS, "num_layers": 1, "mu": 0.2, "learning_rate": 0.1},
            ),
            training=TrainingConfig(generations=3, children=4, batch_size=32),
        ),
        Preset(
            name="vit-ti0",
            summary="ViT-Ti/16 without blocks; evolution grows up to 3. Images of 32x32, up to 112x112.",
            architecture=_vit(image=32, patch=16, width=192, heads=3, mlp=768),
            space=_space(0, 3, _SMALL_IMAGES, 32, mu=0.2),
        ),
        Preset(
            name="vit-ti3",
            summary="ViT-Ti/16 with 3 blocks. Images of 32x32, up to 112x112.",
            architecture=_vit(image=32, patch=16, width=192, heads=3, mlp=768),
            space=_space(3, 3, _SMALL_IMAGES, 32),
        ),
        Preset(
            name="vit-b",
            summary="ViT-B/16 with 12 blocks. Images of 80x80, up to 112x112.",
            architecture=_vit(image=80, patch=16, width=768, heads=12, mlp=3072),
            space=_space(12, 12, _SMALL_IMAGES, 80),
            training=TrainingConfig(batch_size=128),
        ),
        Preset(
            name="vit-l",
            summary="ViT-L/16 with 24 blocks. Images of 384x384 or 224x224.",
            architecture=_vit(image=384, patch=16, width=1024, heads=16, mlp=4096),
            space=_space(24, 24, _LARGE_IMAGES, 384, mu=0.2),
            training=TrainingConfig(
                generations=1, children=16, validations=8, batch_size=16, samples_cap=100_000, validation_cap=10_000
            ),
        ),
        _convnet(
            "convnet-8",
            "A ConvNet for tiny images of 8x8.",
            patch=1,
            images=(8,),
            image=8,
            steps=960,
            shift=0.1,  # less is no whole pixel
        ),
        _convnet("convnet-16", "A ConvNet for small images of 16x16.", patch=2, images=(16, 20), image=16),
        _convnet(
            "convnet-32",
            "A ConvNet for characters and other small images of 28x28 or 32x32.",
            patch=4,
            images=(28, 32),  # of 48 an iteration takes up to three times as long, for nothing (docs/experiments.md)
            image=32,
        ),
        _convnet(
            "convnet-64",
            "A ConvNet for images of 64x64, which it begins with at 48x48, up to 96x96.",
            patch=4,
            images=(48, 64, 96),
            image=48,  # of 64 a step takes twice as long, and brought nothing (docs/experiments.md)
            steps=960,
        ),
        _convnet(
            "convnet-128",
            "A ConvNet for photos of 128x128, up to 224x224.",
            patch=8,
            images=(128, 160, 192, 224),
            image=128,
            steps=960,
        ),
        _bert(
            "bert-s", "An encoder of texts as MiniLM is, 6 blocks of 384: for --root.", blocks=6, width=384, heads=12
        ),
        _bert(
            "bert-b", "An encoder of texts as BERT is, 12 blocks of 768: for --root.", blocks=12, width=768, heads=12
        ),
        _bytes("text-128", "Words of short texts and their pieces: 128 bytes, up to 256.", length=128, steps=100),
        _bytes("text-256", "Words of texts and their pieces: 256 bytes.", length=256, steps=50),
        *table_presets({**_VALUES, **_ADAMW_VALUES}, {**_DEFAULTS, **_ADAMW_DEFAULTS}),
    )
}


PRESETS_ADDED: Registry[Preset] = Registry(
    group="mu2net.presets",
    what="preset",
    shipped={},
    offers=("architecture", "space", "training", "scorer"),
)
"""What other packages add to these, each a ``Preset`` under its own name."""


def preset_named(name: str) -> Preset:
    """Returns the preset called ``name``.

    Raises:
        NotFoundError: there is none; the message lists those there are. A PluginError if it cannot be imported.
    """
    if name in PRESETS:
        return PRESETS[name]
    if name in PRESETS_ADDED:
        return PRESETS_ADDED.load(name)
    known = ", ".join(sorted({*PRESETS, *PRESETS_ADDED.names()}))
    raise NotFoundError(f"No preset {name!r}.", hint=f"Presets: {known}; others come with packages that add them.")
