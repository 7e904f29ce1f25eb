import pytest
import torch

from dyad.core.devices import pick_device
from dyad.core.errors import BadUsage
from dyad.training.hardware import cores, device_named, hardware


def test_devices_by_name() -> None:
    assert device_named("cpu") == torch.device("cpu")
    assert device_named("auto") == pick_device("auto")
    for name in ("nowhere", "cuda:99"):
        with pytest.raises(BadUsage, match=name):
            device_named(name)


def test_the_machine_in_words() -> None:
    told = hardware(torch.device("cpu"))
    assert told["cores"] == cores() >= 1
    assert told["torch"] == torch.__version__
