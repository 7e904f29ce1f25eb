"""A person who stands upright before the camera, in BODY17."""

import torch
from torch import Tensor

from dyad.core.skeleton import BODY17

# To the side and down from the pelvis, in heights.
_PLACES = {
    "pelvis": (0, 0), "spine": (0, -0.15), "neck": (0, -0.30), "nose": (0, -0.38), "head_top": (0, -0.47),
    "hip": (0.055, 0.0), "knee": (0.06, 0.23), "ankle": (0.06, 0.478),
    "shoulder": (0.11, -0.30), "elbow": (0.15, -0.15), "wrist": (0.17, 0.0),
}  # fmt: skip


def person(middle: tuple[float, float], height: float) -> Tensor:
    """Joints (17, 2) of somebody with the pelvis at `middle` who is `height` tall, in px or in m."""
    places = []
    for name in BODY17.names:
        side, _, joint = name.rpartition("_") if name.split("_")[0] in ("left", "right") else ("", "", name)
        x, y = _PLACES[joint]
        # Who faces the camera has the right side on the left of the image.
        places.append((-x if side == "right" else x, y))
    return torch.tensor(places) * height + torch.tensor(middle)
