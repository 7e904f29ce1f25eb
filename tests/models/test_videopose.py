"""VideoPose3D's network: forms, windows, padding, and checkpoints as they are released."""

import pytest
import torch

from dyad.models import checkpoints
from dyad.models.videopose import VideoPose


def network(**arguments) -> VideoPose:
    torch.manual_seed(0)
    return VideoPose(**{"kernels": [3, 3], "channels": 16, **arguments}).eval()


@torch.no_grad()
@pytest.mark.parametrize("causal", [False, True])
def test_the_strided_form_is_the_same_function_of_one_window(causal) -> None:
    plain, strided = (network(form=form, causal=causal) for form in ("dilated", "strided"))
    strided.load_state_dict(plain.state_dict())
    pose = torch.randn(2, 9, 17, 2)
    assert torch.allclose(plain(pose), strided(pose), atol=1e-6)
    assert plain(pose).shape == (2, 1, 17, 3)


@torch.no_grad()
def test_padding_gives_every_frame_a_pose_and_sequences_do_not_mix() -> None:
    model, pose = network(), torch.randn(2, 12, 17, 2)
    both = model(pose, padded=True)
    assert both.shape == (2, 12, 17, 3)
    assert torch.allclose(both[:, 4:-4], model(pose), atol=1e-6)
    assert torch.allclose(both[1:], model(pose[1:], padded=True), atol=1e-6)


def test_gradients_reach_everything_and_other_shapes_are_refused() -> None:
    model = network().train()
    model(torch.randn(4, 12, 17, 2)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    with pytest.raises(ValueError, match=r"expected \(N, T, 17, 2\)"):
        model(torch.randn(4, 12, 17, 3))


def theirs(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our names as the released files have them."""
    out = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[1] == "blocks":
            kind = {"conv": "conv", "norm": "bn"}[parts[4]]
            out[f"layers_{kind}.{2 * int(parts[2]) + (parts[3] == 'point')}.{parts[-1]}"] = value
        else:
            kind = {"conv": "conv", "norm": "bn", "weight": "", "bias": ""}[parts[2]]
            out[f"expand_{kind}.{parts[-1]}" if parts[1] == "expand" else f"shrink.{parts[-1]}"] = value
    return out


def test_a_released_checkpoint_is_imported(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))
    model = VideoPose(kernels=[3, 3, 3]).eval()
    optimizer = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}
    content = {"epoch": 80, "lr": 1e-4, "random_state": None, "optimizer": optimizer}
    torch.save({**content, "model_pos": theirs(model.state_dict())}, tmp_path / "cpn.bin")
    path, _ = checkpoints.import_original(tmp_path / "cpn.bin")
    kept = checkpoints.Checkpoint.load(path)
    pose = torch.randn(1, 27, 17, 2)
    with torch.no_grad():
        assert kept.network == "videopose3d-27"
        assert torch.equal(kept.build()(pose), model(pose))
