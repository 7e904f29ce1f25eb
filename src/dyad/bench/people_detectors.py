"""What `dyad bench people` compares: BlazePose with and without heads, and heads that find people by themselves."""

import torch

from dyad.core.errors import BadUsage, MissingWeights
from dyad.core.protocols import Detector
from dyad.models.blazepose_heads import BlazePoseFeatures, PersonHeads, PersonNetwork
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.weights import BLAZEPOSE_DETECTOR, WeightsError, find_blazepose
from dyad.stages import make_detector
from dyad.stages.bottomup import BottomUp


def people_detectors(device: torch.device, heads: str | None = None) -> dict[str, Detector]:
    """Detectors by what a table calls them. With `heads`, a name or file, those in place of the ones that come with
    Dyad, and alone; MissingWeights where there are none."""

    def blazepose(**policy: bool | str) -> Detector:
        return make_detector("blazepose", (), device, key_interval=None, **policy)

    found = {
        "BlazePose": blazepose(heads=False),
        "with heads": blazepose(heads=heads or True),
        "thorough": blazepose(heads=heads or True, thorough=True),
    }
    return found if heads is None else {**found, "heads alone": heads_alone(heads, device)}


def heads_alone(heads: str, device: torch.device) -> Detector:
    """What heads, by name or file, find by themselves: joints as they place them, no landmarks network."""
    try:
        network = Checkpoint.load(find_weights(heads)).build()
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    if isinstance(network, PersonHeads):
        folder = find_blazepose()
        if folder is None:
            raise MissingWeights("the heads stand on BlazePose's features: run `dyad weights pull blazepose` first")
        network = PersonNetwork(BlazePoseFeatures.from_file(folder / BLAZEPOSE_DETECTOR.file), network)
    if not isinstance(network, PersonNetwork):
        raise BadUsage(f"{heads} are no heads: wanted are person-heads or person-network")
    return BottomUp(network, device=device)
