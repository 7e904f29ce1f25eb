"""Whatever is done to a pair, its flow still says where things went."""

import numpy as np
import pytest
import torch

from dyad.core.flow import Flow
from dyad.training.augment import Pair, augmented, warped
from dyad.training.recipes import Augmentation

PLAIN = Augmentation(
    scale=(0.0, 0.0), stretch=0.0, flip=0.0, upset=0.0, jolt=0.0, colour=0.0, hue=0.0, unequal=0.0, erase=0.0
)
SHAPES = Augmentation(colour=0.0, hue=0.0, erase=0.0, jolt=0.7, upset=0.5)


def waves(xy: np.ndarray) -> np.ndarray:
    """Smooth colours (3, …) 0..255 at points (…, 2)."""
    x, y = xy[..., 0], xy[..., 1]
    return 127 + 60 * np.stack([np.sin(x / 5 + k) + np.cos(y / 6 - k) for k in range(3)])


def moving(width: int = 160, height: int = 120) -> Pair:
    """A picture that turns a little, grows and moves, and its exact flow."""
    xy = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)
    linear, shift = np.array([[1.02, -0.03], [0.03, 1.01]]), np.array([2.5, -1.25])
    flow = xy @ linear.T + shift - xy
    images = np.stack([waves(xy), waves((xy - shift) @ np.linalg.inv(linear).T)])
    people = np.zeros((height, width), bool)
    people[:, : width // 2] = True
    known = torch.ones(height, width, dtype=torch.bool)
    return Pair(
        torch.from_numpy(images.round().astype(np.uint8)),
        torch.from_numpy(flow).float().movedim(-1, 0),
        known,
        torch.from_numpy(people),
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_second_image_read_where_the_flow_leads_is_the_first(seed: int) -> None:
    out = augmented(moving(), (96, 72), SHAPES, np.random.default_rng(seed))
    assert out.images.shape == (2, 3, 72, 96)
    assert out.flow.shape == (2, 72, 96)
    first, second = out.images.float()
    back = Flow(out.flow).warp(second)
    # Places that the second image never showed are black there.
    there = torch.isfinite(back).all(0) & (back > 3).all(0) & out.known
    assert there.float().mean() > 0.5
    assert (back - first).abs().amax(0)[there].quantile(0.99) < 6


def test_a_flow_of_the_wrong_sign_would_be_seen() -> None:
    out = augmented(moving(), (96, 72), SHAPES, np.random.default_rng(0))
    back = Flow(-out.flow).warp(out.images[1].float())
    there = torch.isfinite(back).all(0)
    assert (back - out.images[0].float()).abs().amax(0)[there].quantile(0.99) > 20


def test_without_changes_it_is_a_cut() -> None:
    pair = moving()
    out = augmented(pair, (160, 120), PLAIN, np.random.default_rng(1))
    # The crop is a whole pixel smaller at the least: it fits within half a pixel.
    assert (out.flow - pair.flow).abs().max() < 0.1
    shift = np.eye(3)
    shift[:2, 2] = 7, 11
    exact = warped(pair, (64, 72), shift, shift)
    assert torch.equal(exact.images, pair.images[..., 11:83, 7:71])
    assert torch.allclose(exact.flow, pair.flow[:, 11:83, 7:71], atol=2e-5)
    assert torch.equal(exact.people, pair.people[11:83, 7:71])


def test_mirrored_left_to_right_motion_to_the_right_is_to_the_left() -> None:
    pair = moving()
    mirror = np.array([[-1.0, 0, 159], [0, 1, 0], [0, 0, 1]])
    out = warped(pair, (160, 120), mirror, mirror)
    assert torch.equal(out.images, pair.images.flip(-1))
    assert torch.allclose(out.flow, pair.flow.flip(-1) * torch.tensor([-1.0, 1.0])[:, None, None], atol=2e-5)


def test_no_motion_is_made_up_between_two_that_differ() -> None:
    pair = moving()
    flow = torch.zeros_like(pair.flow)
    flow[0, :, 40:] = 10
    half = np.diag([0.5, 0.5, 1.0])
    out = warped(pair._replace(flow=flow), (160, 120), half, half)
    assert set(out.flow[0, 2:-2, 2:-2].round(decimals=3).unique().tolist()) == {0.0, 20.0}


def test_unknown_flow_and_what_lies_outside_stay_unknown() -> None:
    pair = moving()
    known = pair.known.clone()
    known[30:60] = False
    shift = np.eye(3)
    shift[0, 2] = 100
    out = warped(pair._replace(known=known), (96, 96), shift, shift)
    assert not out.known[30:60].any()
    assert not out.known[:, 60:].any()
    assert out.known[:30, :60].all()
    assert (out.flow[:, ~out.known] == 0).all()


def test_the_same_numbers_give_the_same_pair_and_others_another() -> None:
    once, again, other = (
        augmented(moving(), (96, 72), Augmentation(), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert not torch.equal(once.images, other.images)


def test_colours_change_but_grey_stays_grey() -> None:
    grey = Pair(torch.full((2, 3, 72, 96), 120, dtype=torch.uint8), torch.zeros(2, 72, 96), *torch.ones(2, 72, 96) > 0)
    only = Augmentation(jolt=0.0, erase=0.0, stretch=0.0, scale=(0.0, 0.0), unequal=0.0)
    values = []
    for seed in range(8):
        out = augmented(grey, (64, 64), only, np.random.default_rng(seed)).images.int()
        assert (out.amax(1) - out.amin(1)).max() <= 1
        values.append(int(out[0, 0, 32, 32]))
    assert len(set(values)) > 4
