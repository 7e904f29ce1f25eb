"""What the tests of the single-person networks share."""

from pathlib import Path

import torch

from dyad.models.anatomy3d import ANATOMY3D_NAMINGS, BONES, Anatomy3D
from dyad.models.joints import BODY17
from dyad.models.namings import adopt
from dyad.models.videopose import VIDEOPOSE_NAMINGS, VideoPose

from .recipe import Fixture, close, state_of


def videopose(parity: Path, name: str, **arguments) -> tuple[Fixture, VideoPose]:
    fixture = state_of(parity, name)
    network = VideoPose(kernels=fixture.meta["constructor"]["filter_widths"], **arguments).eval()
    adopt(network, fixture.state, VIDEOPOSE_NAMINGS[0])
    return fixture, network


@torch.no_grad()
def check_videopose(parity: Path, name: str) -> None:
    fixture, network = videopose(parity, name)
    pose = fixture.tensor("pose2d")
    close(network(pose), fixture, "output")
    close(network.temporal.expand(pose.flatten(2).transpose(1, 2))[:, ::32, ::13], fixture, "expand_part")
    close(videopose(parity, name, causal=True)[1](pose), fixture, "output_causal")
    single = videopose(parity, name, form="strided")[1]
    close(single(pose[:, : single.receptive_field]), fixture, "output_single")


def anatomy3d(parity: Path, name: str) -> tuple[Fixture, Anatomy3D]:
    fixture = state_of(parity, name)
    made = fixture.meta["constructor"]
    assert [[BODY17.index(joint) for joint in bone] for bone in BONES] == made["boneindex"]
    network = Anatomy3D(kernels=made["filter_widths"], temperature=made["temperature"]).eval()
    adopt(network, fixture.state, ANATOMY3D_NAMINGS[0])
    return fixture, network


@torch.no_grad()
def check_anatomy3d(parity: Path, name: str) -> None:
    fixture, network = anatomy3d(parity, name)
    joints = fixture.tensor("pose2d_score")
    frames = network.length.poses(joints[..., :2])
    close(frames[:, ::20], fixture, "frame_pose_part")
    close(network.length.logits(frames)[:, ::20], fixture, "attention_part")
    found = network(joints)
    close(found.lengths[:, None].expand(-1, found.pose.shape[1], -1), fixture, "bone_length")
    close(found.directions.permute(0, 2, 3, 1), fixture, "bone_direction")
    close(found.pose, fixture, "output")
