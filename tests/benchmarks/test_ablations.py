"""That each part which is switched off is still there to be."""

from __future__ import annotations

import pytest
from ablations import ARMS, Arm

from mu2net_core.presets import preset_named, with_settings


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_settings_of_an_arm_fit_its_preset_and_what_it_replaces_is_found(arm: Arm) -> None:
    fixed = {f"space.{name}": [value] for name, value in arm.fixed.items()}
    fixed |= {f"default.{name}": value for name, value in arm.fixed.items()}
    preset = with_settings(preset_named(arm.preset or "convnet-32"), {**arm.settings, **fixed})
    assert {name: preset.space.defaults[name] for name in arm.fixed} == arm.fixed
    assert not set(preset.space.movable) & set(arm.fixed)
    for patch in arm.patch():
        with patch:
            pass
