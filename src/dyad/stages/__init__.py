"""Networks, files and truths made into the interfaces. This table of detectors is all the registry there is."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dyad.core.errors import BadUsage, MissingWeights
from dyad.stages.plugins import load_plugin, plugin_names

# Names for annotations alone: what lies in this room is also used where no video can be read (docs/training.md).
if TYPE_CHECKING:
    from dyad.core.protocols import Detector
    from dyad.models.blazepose import BlazePoseDetector
    from dyad.models.blazepose_heads import BlazePoseFinder, SideBySide

log = logging.getLogger(__name__)


def _blazepose(
    weights: tuple[str, ...],
    device: torch.device,
    *,
    key_interval: float | None,
    heads: bool | str | Path | None = None,
    **policy: Any,
) -> "Detector":
    from dyad.models.blazepose import BlazePoseDetector, BlazePoseLandmarks
    from dyad.models.weights import (
        BLAZEPOSE_DETECTOR,
        BLAZEPOSE_LANDMARKS,
        WHEEL,
        WeightsError,
        find_blazepose,
        pull_blazepose,
    )
    from dyad.stages.detection import BlazePose

    if weights:
        raise BadUsage(f"--weights are for --detector transformers or onnx, got {', '.join(weights)} for blazepose")
    try:
        folder = find_blazepose()
        if folder is None:
            folder = pull_blazepose()
            log.warning("The networks of %s were fetched into %s.", WHEEL, folder)
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    file = folder / BLAZEPOSE_DETECTOR.file
    # Of people in photographs and clips whose joints are known the heads added one, and four who are none
    # (docs/models/person-heads.md), and they cost a fifth of the time: only --thorough asks for them.
    if heads or (heads is None and policy.get("thorough")):
        detector = _with_heads(file, None if heads in (None, True) else str(heads))
    else:
        detector = BlazePoseDetector.from_file(file)
    landmarks = BlazePoseLandmarks.from_file(folder / BLAZEPOSE_LANDMARKS.file)
    if key_interval is not None:
        policy["key_interval"] = key_interval
    return BlazePose(detector, landmarks, device=device, **policy)


def _with_heads(file: Path, heads: str | None) -> "BlazePoseDetector | BlazePoseFinder | SideBySide":
    """BlazePose's detector with heads of that name or file; with ours, where they come with the package, for None."""
    from dyad.models.blazepose import BlazePoseDetector
    from dyad.models.blazepose_heads import BlazePoseFinder, PersonHeads, PersonNetwork, SideBySide
    from dyad.models.checkpoints import Checkpoint, find_weights, shipped
    from dyad.models.weights import WeightsError

    if heads is None and "person-heads" not in shipped():
        return BlazePoseDetector.from_file(file)
    try:
        checkpoint = Checkpoint.load(find_weights(heads or "person-heads"))
        network = checkpoint.build()
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    if isinstance(network, PersonHeads):
        return BlazePoseFinder.from_files(file, network)
    if not isinstance(network, PersonNetwork):
        raise BadUsage(f"{heads} holds {checkpoint.network}; heads are person-heads or person-network")
    return SideBySide(BlazePoseDetector.from_file(file), network)


def _transformers(weights: tuple[str, ...], device: torch.device, **policy: Any) -> "Detector":
    _refuse(policy)
    from dyad.stages.huggingface import TransformersDetector

    return TransformersDetector(*_two(weights, "a folder of RT-DETR or D-FINE and one of ViTPose"), device=device)


def _onnx(weights: tuple[str, ...], device: torch.device, **policy: Any) -> "Detector":
    _refuse(policy)
    from dyad.stages.onnx import OnnxDetector

    # torch may know a GPU that the installed onnxruntime does not: "auto" takes it where both do.
    where = "cpu" if device.type == "cpu" else "auto"
    return OnnxDetector(*_two(weights, "a file of YOLOX or RTMDet and one of RTMPose"), device=where)


DETECTORS: "dict[str, Callable[..., Detector]]" = {
    "blazepose": _blazepose,
    "transformers": _transformers,
    "onnx": _onnx,
}
FLOW = "raft-small-people"
"""The flow network that is used unless another is named; it comes with Dyad."""
LIFTING = "lifting"
"""The weights of the lifting network that is used unless others are named; they come with Dyad."""
# Networks that `flow.make_flow` takes weights of; weights go by the same names unless called otherwise.
FLOW_MODELS = (FLOW, "raft-small", "raft-basic", "gma")


def make_detector(name: str, weights: tuple[str, ...], device: torch.device, **policy: Any) -> "Detector":
    """The detector of that name, or the plug-in. BadUsage for an unknown name, MissingWeights where its networks cannot
    be had.
    """
    if name not in DETECTORS:
        if ":" not in name and name not in plugin_names("detector"):
            known = ", ".join([*DETECTORS, *plugin_names("detector")])
            raise BadUsage(
                f"there is no detector {name!r}; choose one of {known}, or name your own as package.module:Object or "
                "file.py:Object"
            )
        refuse_options(weights, **policy)
        return load_plugin("detector", name)
    return DETECTORS[name](weights, device, **policy)


def refuse_options(weights: tuple[str, ...], **policy: Any) -> None:
    """BadUsage for what Dyad's detectors are told, where it is for somebody's own, which would never hear of it."""
    _refuse(policy)
    if weights:
        raise BadUsage("--weights are for the detectors that come with Dyad; one of your own knows its own")


def _refuse(policy: dict[str, Any]) -> None:
    if policy.get("thorough") or policy.get("key_interval") is not None:
        raise BadUsage("--thorough and --key-interval are the default detector's; this one looks at every frame anyway")


def _two(weights: tuple[str, ...], what: str) -> tuple[str, str]:
    if len(weights) != 2:
        raise BadUsage(f"this detector reads {what}: give both with --weights, got {len(weights)}")
    return weights[0], weights[1]
