"""METRO and the template body that it starts from."""

import numpy as np
import pytest
import torch
from scipy import sparse

from dyad.models.joints import BODY17
from dyad.models.mesh_transformer import EncoderBlock
from dyad.models.metro import METRO, METRO_NAMINGS, project
from dyad.models.smpl_template import FILES, BodyTemplate, load_template, template_of
from dyad.models.weights import WeightsError


def test_a_mesh_of_every_image_by_itself_and_gradients_everywhere() -> None:
    torch.manual_seed(0)
    model = METRO(features=8, cells=4, widths=[16, 8], outputs=[8, 3], layers=1, hidden=16)
    template = BodyTemplate(torch.randn(14, 3), torch.randn(431, 3))
    features = torch.randn(2, 8, 2, 2)
    model.eval()
    with torch.no_grad():
        both, one = model(features, template), model(features[1:], template)
    assert [tuple(part.shape) for part in both] == [(2, 14, 3), (2, 3), (2, 6890, 3), (2, 1723, 3), (2, 431, 3)]
    for a, b in zip(both, one, strict=True):
        assert torch.allclose(a[1:], b, atol=1e-5)
    found = model.train()(features, template)
    sum(part.square().sum() for part in found).backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    # Adding one number to all keys changes no softmax, so their biases have no say.
    assert {name for name in still if not name.endswith("key.bias")} == set()
    with pytest.raises(ValueError, match="4 cells"):
        model(torch.randn(1, 8, 3, 3), template)


def test_tokens_attend_to_all_and_know_their_place() -> None:
    torch.manual_seed(0)
    block = EncoderBlock(5, 8, 3, layers=1, heads=2, hidden=16, longest=10).eval()
    tokens = torch.randn(1, 6, 5)
    moved = tokens.clone()
    moved[0, 5] += 1
    with torch.no_grad():
        assert ((block(tokens) - block(moved)).abs().amax(-1) > 1e-6).all()
        assert not torch.allclose(block(tokens).flip(1), block(tokens.flip(1)), atol=1e-3)
        block.positions.zero_()
        assert torch.allclose(block(tokens).flip(1), block(tokens.flip(1)), atol=1e-5)


def test_only_what_is_never_read_is_ignored() -> None:
    naming = METRO_NAMINGS[0]
    prefix = "module.trans_encoder.1.bert."
    assert naming.ours(prefix + "embeddings.word_embeddings.weight") is None
    assert naming.ours("backbone.conv1.weight") is None
    assert naming.ours(prefix + "position_embeddings.weight") == "blocks.1.positions"
    assert naming.ours(prefix + "encoder.layer.2.output.dense.bias") == "blocks.1.layers.2.narrow.bias"
    assert naming.ours(prefix + "encoder.layer.2.attention.output.dense.bias") == "blocks.1.layers.2.mix.bias"


def test_weak_projection() -> None:
    points = torch.tensor([[[1.0, 2.0, 9.0]]])
    assert torch.equal(project(points, torch.tensor([[2.0, 0.5, -1.0]])), torch.tensor([[[3.0, 2.0]]]))


def _files(folder) -> np.ndarray:
    """Files of a made-up body: each coarse vertex and each joint is one of the fine vertices."""
    rng = np.random.default_rng(0)
    body = rng.normal(size=(6890, 3))
    np.save(folder / "smpl_template.npy", body)
    np.save(folder / "J_regressor_h36m_correct.npy", np.eye(17, 6890))
    sparse.save_npz(folder / "downsampling_0.npz", sparse.eye(1723, 6890).tocsc())
    sparse.save_npz(folder / "downsampling_1.npz", sparse.eye(431, 1723).tocsc())
    return body


def test_the_template_is_turned_to_the_camera_about_its_pelvis(tmp_path) -> None:
    body = _files(tmp_path)
    template = load_template(tmp_path)
    turned = (body - body[0]) * (1, -1, -1)
    assert np.allclose(template.vertices, turned[:431], atol=1e-4)
    assert np.allclose(template.joints[-1], turned[BODY17.index("head_top")], atol=1e-4)
    again = template_of(torch.from_numpy(turned[:17] + 5), torch.from_numpy(turned[:431] + 5))
    assert np.allclose(again.vertices, template.vertices, atol=1e-4)


def test_missing_and_wrong_files_are_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path))
    with pytest.raises(WeightsError) as told:
        load_template()
    assert all(name in str(told.value) for name in FILES)
    assert str(tmp_path / "smpl") in str(told.value)
    _files(tmp_path)
    np.save(tmp_path / "smpl_template.npy", np.zeros((5, 3)))
    with pytest.raises(WeightsError, match=r"smpl_template.npy should hold finite numbers of shape \(6890, 3\)"):
        load_template(tmp_path)
    _files(tmp_path)
    (tmp_path / "downsampling_1.npz").write_bytes(b"no archive")
    with pytest.raises(WeightsError, match=r"downsampling_1.npz is no sparse matrix"):
        load_template(tmp_path)
    np.save(tmp_path / "smpl_template.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(WeightsError, match=r"smpl_template.npy is no plain array"):
        load_template(tmp_path)
