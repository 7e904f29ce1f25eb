"""The top-down branch from pixels to poses and root depth against the original scripts."""

import pytest
import torch

from dyad.models.topdown import (
    LiftedPeople,
    TopDownLifting,
    fit_depths_to_truth_released,
    released_scaling,
    to_mupots,
)

from .recipe import Fixture, close
from .threed import gcn, joint_tcn, material, root_tcn


@pytest.fixture(scope="module")
def lifted(request) -> tuple[Fixture, LiftedPeople]:
    parity = request.getfixturevalue("parity")
    fixture = material(parity, "threed_topdown_pipeline")
    networks = (make(parity)[1] for make in (gcn, joint_tcn, root_tcn))
    chain = TopDownLifting(*networks, scaling=released_scaling).eval()
    with torch.no_grad():
        return fixture, chain(*(fixture.tensor(n) for n in ("pose2d", "joint_affinity", "bone_affinity")))


def test_poses(lifted) -> None:
    fixture, people = lifted
    close(people.single, fixture, "gcn_output")
    close(to_mupots(people.pose).permute(1, 0, 3, 2), fixture, "result")


def test_root_depth_before_and_after_the_fit_to_the_truth(lifted) -> None:
    fixture, people = lifted
    close(people.root, fixture, "root_depth_raw")
    fitted = fit_depths_to_truth_released(people.root, fixture.tensor("depth_reference_f64"))
    close(fitted, fixture, "root_depth_aligned")
