import torch

from dyad.geometry.looking import toward


def test_turns_the_axis_to_the_ray_and_nothing_else() -> None:
    rays = torch.tensor(((0.0, 0.0, 1.0), (0.5, 0.0, 1.0), (-0.4, 0.7, 1.0)), dtype=torch.float64)
    turn = toward(rays)
    unit = rays / rays.norm(dim=-1, keepdim=True)
    assert torch.allclose(turn[:, :, 2], unit)
    assert torch.allclose(turn @ turn.mT, torch.eye(3, dtype=torch.float64).expand(3, 3, 3), atol=1e-12)
    assert torch.allclose(torch.linalg.det(turn), torch.ones(3, dtype=torch.float64))
    assert torch.allclose(turn[0], torch.eye(3, dtype=torch.float64))
    # By the shortest way: a ray to the side leaves the vertical where it is.
    assert torch.allclose(turn[1, :, 1], torch.tensor((0.0, 1.0, 0.0), dtype=torch.float64))
