"""Every network by name: how it is made, whose checkpoints it takes, and which of them a file is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from dyad.models.namings import Naming, misfit, translated
from dyad.models.weights import WeightsError

OURS = Naming("Dyad")


@dataclass(frozen=True)
class Entry:
    """A network as published.

    Attributes:
        home: module and function or class, "dyad.models.raft:RAFT". arguments: its published configuration.
        namings: attribute of the same module with the namings of others' checkpoints, or "" where names are equal.
        paper: what it implements.
    """

    home: str
    paper: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    namings: str = ""

    def make(self, **arguments: Any) -> nn.Module:
        module, _, name = self.home.partition(":")
        return getattr(import_module(module), name)(**{**self.arguments, **arguments})

    def known_namings(self) -> tuple[Naming, ...]:
        module = import_module(self.home.partition(":")[0])
        return (OURS, *(getattr(module, self.namings) if self.namings else ()))


_TB = "Cheng et al. CVPR 2021"
_RAFT, _GMA = "Teed and Deng 2020", "Jiang et al. 2021"

ZOO: dict[str, Entry] = {
    "raft-basic": Entry("dyad.models.raft:raft_basic", _RAFT, namings="RAFT_NAMINGS"),
    "raft-small": Entry("dyad.models.raft:raft_small", _RAFT, namings="RAFT_NAMINGS"),
    # A released checkpoint does not say which attention it was trained for: the first that fits is taken.
    "gma": Entry("dyad.models.gma:gma", _GMA + ", by content as released", {"attention": "content"}, "GMA_NAMINGS"),
    "gma-position": Entry("dyad.models.gma:gma", _GMA, {"attention": "position"}, "GMA_NAMINGS"),
    "gma-content-and-position": Entry(
        "dyad.models.gma:gma", _GMA, {"attention": "content_and_position"}, "GMA_NAMINGS"
    ),
    "hrnet-w16": Entry("dyad.models.hrnet:hrnet", "Sun et al. 2019, our small width", {"width": 16}, "HRNET_NAMINGS"),
    "hrnet-w32": Entry("dyad.models.hrnet:hrnet", "Sun et al. 2019", {"width": 32}, "HRNET_NAMINGS"),
    "hrnet-w48": Entry("dyad.models.hrnet:hrnet", "Sun et al. 2019", {"width": 48}, "HRNET_NAMINGS"),
    "higherhrnet-w32": Entry(
        "dyad.models.higherhrnet:higherhrnet", "Cheng et al. 2020", {"width": 32}, "HIGHERHRNET_NAMINGS"
    ),
    "higherhrnet-w48": Entry(
        "dyad.models.higherhrnet:higherhrnet", "Cheng et al. 2020", {"width": 48}, "HIGHERHRNET_NAMINGS"
    ),
    "gcn": Entry("dyad.models.gcn:JointBoneGCN", _TB + ", eq. 12", namings="GCN_NAMINGS"),
    "joint-tcn": Entry("dyad.models.tcn:JointTCN", _TB + ", eq. 13", namings="TCN_NAMINGS"),
    "root-tcn": Entry("dyad.models.tcn:RootTCN", _TB + ", eq. 14, 2D only as released", namings="TCN_NAMINGS"),
    "root-tcn-3d": Entry("dyad.models.tcn:RootTCN", _TB + ", eq. 14", {"dimensions": 5}, "TCN_NAMINGS"),
    "bottom-up": Entry("dyad.models.bottomup:BottomUpNetwork", _TB + ", section 3.2", namings="BOTTOM_UP_NAMINGS"),
    "person-heads": Entry("dyad.models.blazepose_heads:PersonHeads", "ours, on BlazePose's detector"),
    "person-network": Entry("dyad.models.blazepose_heads:plain_network", "ours, from scratch"),
    "coordinate-scale": Entry("dyad.models.depth_readout:CoordinateScale", _TB + ", released code only"),
    "joint-expansion": Entry(
        "dyad.models.depth_readout:JointExpansion", _TB + ", released code only", namings="EXPANSION_NAMINGS"
    ),
    "blending": Entry("dyad.models.integration:BlendingNetwork", _TB + ", as released", namings="BLENDING_NAMINGS"),
    "integration": Entry("dyad.models.integration:IntegrationNetwork", _TB + ", eq. 7"),
    "fusion": Entry("dyad.models.fusion:FusionNetwork", "ours, after eq. 7"),
    "lifting": Entry("dyad.models.lifting:LiftingNetwork", "ours, after eq. 12 to 14"),
    "adaptation": Entry("dyad.models.adaptation:AdaptationNetwork", _TB, namings="ADAPTATION_NAMINGS"),
    "discriminator": Entry("dyad.models.discriminators:interaction_discriminator", _TB + ", eq. 8 and 9"),
    "dcpose": Entry("dyad.models.dcpose:dcpose", "Liu et al. 2021", namings="DCPOSE_NAMINGS"),
    **{
        f"videopose3d-{3**n}": Entry(
            "dyad.models.videopose:VideoPose", "Pavllo et al. 2019", {"kernels": [3] * n}, "VIDEOPOSE_NAMINGS"
        )
        for n in (3, 4, 5)
    },
    **{
        f"anatomy3d-{3**n}": Entry(
            "dyad.models.anatomy3d:Anatomy3D", "Chen et al. 2021", {"kernels": [3] * n}, "ANATOMY3D_NAMINGS"
        )
        for n in (3, 4, 5)
    },
    "metro": Entry("dyad.models.metro:METRO", "Lin et al. 2021", namings="METRO_NAMINGS"),
}


def make(name: str, **arguments: Any) -> nn.Module:
    """The network of that name with its published configuration, changed by `arguments`, with random weights."""
    if name not in ZOO:
        raise WeightsError(f"there is no network {name!r}; there are {', '.join(ZOO)}")
    return ZOO[name].make(**arguments)


def recognise(state: Mapping[str, Tensor], *, among: Callable[[str], bool] = lambda _: True) -> tuple[str, Naming]:
    """Which network and whose naming a state dict is of: the one that it fits without slack.

    Raises WeightsError which says, of the network that comes nearest, what does not fit.
    """
    nearest: tuple[float, str] | None = None
    for name, entry in ZOO.items():
        if not among(name):
            continue
        # No memory is spent on networks that are only compared.
        with torch.device("meta"):
            network = entry.make()
        wanted = network.state_dict()
        for naming in entry.known_namings():
            try:
                ours = translated(state, naming)
            except WeightsError:
                continue
            fault = misfit(network, ours)
            if fault is None:
                return name, naming
            shared = sum(n in wanted and wanted[n].shape == v.shape for n, v in ours.items())
            score = shared / max(len(wanted), len(ours), 1)
            if nearest is None or score > nearest[0]:
                nearest = score, f"nearest is {name} with the names of {naming.name}: {fault}"
    hint = nearest[1] if nearest and nearest[0] > 0.05 else f"known are {', '.join(ZOO)}"
    raise WeightsError(f"these {len(state)} tensors are of no network that Dyad knows; {hint}")
