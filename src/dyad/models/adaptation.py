"""The joint adaptation network of [TB]: poses of one definition of the joints to another's."""

from torch import Tensor, nn

from dyad.models.dense import dense
from dyad.models.namings import Naming


class AdaptationNetwork(nn.Module):
    """A 3x3 matrix of each pose's own, free of constraints, then one linear map over all coordinates.

    Args:
        joints: joints of a pose. width: of the layers that give the matrix.
    """

    def __init__(self, *, joints: int = 17, width: int = 512) -> None:
        super().__init__()
        numbers = 3 * joints
        self.joints = joints
        self.turn = dense([numbers, width, width, 9])
        self.linear = nn.Linear(numbers, numbers)

    def matrices(self, pose: Tensor) -> Tensor:
        """The matrix (N, 3, 3) of each pose; it is applied transposed."""
        return self.turn(pose.flatten(-2)).unflatten(-1, (3, 3))

    def forward(self, pose: Tensor) -> Tensor:
        """Root-relative poses (N, 3, J) to the other definition, (N, 3, J)."""
        turned = self.matrices(pose).transpose(-1, -2) @ pose
        return self.linear(turned.flatten(-2)).unflatten(-1, (3, self.joints))


ADAPTATION_NAMINGS = (
    Naming(
        "3dpose/3D-Multi-Person-Pose",
        rules=(
            (r"^l0\.fc\.", "turn.0."),
            (r"^l1\.fc\.", "turn.2."),
            (r"^l2\.fc\.", "turn.4."),
            (r"^l3\.fc\.", "linear."),
        ),
    ),
)
