import pytest
import torch

from dyad.core.devices import pick_device
from dyad.core.errors import BadUsage
from dyad.training.hardware import device_named


@pytest.mark.parametrize("pick", [pick_device, device_named])
@pytest.mark.parametrize(
    ("cuda", "mps", "taken"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_quickest_is_taken_everywhere(pick, cuda, mps, taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "zeros", lambda *_, device: torch.ones(1))
    assert pick("auto") == torch.device(taken)
    assert pick("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["nowhere", "cuda:99", "meta"])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(BadUsage, match=f"{name}.*--device auto"):
        pick_device(name)
