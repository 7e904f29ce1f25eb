"""METRO against the original: tokens, blocks, joints, mesh at three resolutions, camera; weak projection."""

import pytest
import torch

from dyad.models.metro import METRO, METRO_NAMINGS, BodyMesh, project
from dyad.models.namings import adopt
from dyad.models.smpl_template import template_of

from .recipe import Fixture, close, state_of

_TOKENS = (0, 5, 13, 14, 15, 100, 444)


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    return state_of(parity, "metro")


@pytest.fixture(scope="module")
def network(fixture) -> METRO:
    made = fixture.meta["constructor"]
    network = METRO(
        features=made["input_feature_dims"][0] - 3,
        widths=made["hidden_dims"],
        outputs=made["output_dims"],
        layers=made["layers_per_block"],
        heads=made["heads"],
        hidden=made["intermediate_size"],
    )
    adopt(network, fixture.state, METRO_NAMINGS[0])
    return network.eval()


@torch.no_grad()
def _run(network: METRO, fixture: Fixture) -> BodyMesh:
    template = template_of(fixture.tensor("template_joints17")[0], fixture.tensor("template_vertices431")[0])
    return network(fixture.tensor("image_features"), template)


def test_its_mesh_is_the_originals(network, fixture) -> None:
    seen = {}
    places = {"block0_layer0_part": network.blocks[0].layers[0]}
    places |= {f"block{i}_output_part": network.blocks[i] for i in (0, 1)}
    hooks = [m.register_forward_hook(lambda _, __, out, n=n: seen.update({n: out})) for n, m in places.items()]
    hooks.append(network.blocks[0].register_forward_pre_hook(lambda _, given: seen.update(tokens_part=given[0])))
    mesh = _run(network, fixture)
    for hook in hooks:
        hook.remove()
    for name, value in seen.items():
        close(value[:, _TOKENS, : fixture.arrays[name].shape[-1]], fixture, name)
    assert len(seen) == 4
    close(mesh.camera, fixture, "camera")
    close(mesh.joints, fixture, "joints")
    close(mesh.coarse, fixture, "vertices431")
    close(mesh.middle[:, ::8], fixture, "vertices1723")
    close(mesh.vertices[:, ::32], fixture, "vertices6890")


def test_projection_is_the_originals(fixture) -> None:
    found = project(fixture.tensor("projection_points"), fixture.tensor("projection_camera"))
    assert torch.allclose(found, fixture.tensor("projection_result"), atol=1e-6)


def test_another_gelu_does_not_pass(network, fixture, monkeypatch) -> None:
    gelu = torch.nn.functional.gelu
    monkeypatch.setattr(torch.nn.functional, "gelu", lambda x: gelu(x, approximate="tanh"))
    with pytest.raises(AssertionError, match="off by"):
        close(_run(network, fixture).vertices[:, ::32], fixture, "vertices6890")
