"""Is this a pose, and are these two people's poses a pair? The discriminators of [TB], section 3.3.

D1 sees one person-centric pose, D2 two people in the camera's frame: how each holds themselves, and how they stand to
one another. Equation 9 weighs them; equation 8 is what they maximise.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dyad.models.dense import dense
from dyad.models.gcn import BONES
from dyad.models.joints import BODY17, positions

_SLOPE = 0.2


def _features(pose: Tensor, ends: Tensor) -> Tensor:
    """Root-relative joints and, as bones bend where joints do not show it, the products of all bones (…, F)."""
    bones = pose[..., ends[1], :] - pose[..., ends[0], :]
    products = bones @ bones.transpose(-1, -2)
    upper = torch.triu_indices(len(ends[0]), len(ends[0]), device=pose.device)
    return torch.cat((pose.flatten(-2), products[..., upper[0], upper[1]]), -1)


class PoseDiscriminator(nn.Module):
    """D1: how sure it is, as a logit (N,), that a pose (N, J, 3) is a real one; where the person stands is not told.

    Args:
        joints: names in the order of the arrays; the first is the root.
        bones: pairs of joints.
        width, layers: of the dense layers, the last one included.
    """

    ends: Tensor

    def __init__(
        self,
        *,
        joints: Sequence[str] = BODY17,
        bones: Sequence[Sequence[str]] = BONES,
        width: int = 256,
        layers: int = 4,
    ) -> None:
        super().__init__()
        ends = [positions(bone, joints) for bone in bones]
        self.register_buffer("ends", torch.tensor(ends).T, persistent=False)
        inputs = 3 * len(joints) + len(bones) * (len(bones) + 1) // 2
        self.layers = dense([inputs, *[width] * (layers - 1), 1], activation=lambda: nn.LeakyReLU(_SLOPE))

    def forward(self, pose: Tensor) -> Tensor:
        return self.layers(_features(pose - pose[..., :1, :], self.ends))[..., 0]


class PairDiscriminator(nn.Module):
    """D2: the same for two people (N, J, 3) each in the camera's frame, metres; who comes first makes no difference.

    Besides both poses about their own roots it sees every joint of one from every joint of the other, so contact and
    bodies within one another show, and where in the camera's view the pair stands.

    Args:
        joints, bones, width, layers: as for `PoseDiscriminator`.
    """

    ends: Tensor

    def __init__(
        self,
        *,
        joints: Sequence[str] = BODY17,
        bones: Sequence[Sequence[str]] = BONES,
        width: int = 256,
        layers: int = 4,
    ) -> None:
        super().__init__()
        ends = [positions(bone, joints) for bone in bones]
        self.register_buffer("ends", torch.tensor(ends).T, persistent=False)
        j = len(joints)
        single = 3 * j + len(bones) * (len(bones) + 1) // 2
        self.layers = dense(
            [2 * single + j * j + 6, *[width] * (layers - 1), 1], activation=lambda: nn.LeakyReLU(_SLOPE)
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return (self._one_way(first, second) + self._one_way(second, first)) / 2

    def _one_way(self, first: Tensor, second: Tensor) -> Tensor:
        roots = first[..., 0, :], second[..., 0, :]
        single = [_features(pose - pose[..., :1, :], self.ends) for pose in (first, second)]
        # A squared distance saturates within a metre or so: what lies further apart does not touch.
        near = torch.exp(-(first[..., :, None, :] - second[..., None, :, :]).square().sum(-1)).flatten(-2)
        return self.layers(torch.cat((*single, near, roots[1] - roots[0], (roots[0] + roots[1]) / 2), -1))[..., 0]


class InteractionDiscriminator(nn.Module):
    """Equation 9: C = 0.25 (D1(a) + D1(b)) + 0.5 D2(a, b), each a probability.

    Args:
        single: D1, poses (N, J, 3) to logits. pair: D2, two such to logits.
    """

    def __init__(self, single: nn.Module, pair: nn.Module) -> None:
        super().__init__()
        self.single, self.pair = single, pair

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """C (N,) in 0..1 for two people (N, J, 3) in the camera's frame."""
        alone = torch.sigmoid(self.single(first)) + torch.sigmoid(self.single(second))
        return 0.25 * alone + 0.5 * torch.sigmoid(self.pair(first, second))


def interaction_discriminator(
    *,
    joints: Sequence[str] = BODY17,
    bones: Sequence[Sequence[str]] = BONES,
    width: int = 256,
    layers: int = 4,
) -> InteractionDiscriminator:
    """D1 and D2 of one size, weighed by equation 9."""
    shared = {"joints": joints, "bones": bones, "width": width, "layers": layers}
    return InteractionDiscriminator(PoseDiscriminator(**shared), PairDiscriminator(**shared))


def discriminator_loss(real: Tensor, estimated: Tensor) -> Tensor:
    """The negative of equation 8, to minimise: −log C of true pairs − log(1 − C) of estimated ones, their means.

    Both are probabilities (N,); the numbers of pairs may differ.
    """
    return -_log(real).mean() - _log(1 - estimated.float()).mean()


def plausibility_loss(estimated: Tensor) -> Tensor:
    """What the estimator minimises: −log C of its own pairs, whose gradient does not vanish while it is found out."""
    return -_log(estimated).mean()


def _log(probability: Tensor) -> Tensor:
    """In float32 whatever the network ran in, and finite at 0."""
    return torch.log(probability.float() + 1e-12)
