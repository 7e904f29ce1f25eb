"""People through transformers: RT-DETR, RT-DETRv2 or D-FINE for the boxes, ViTPose for the joints.

The networks come from local folders in the layout of `save_pretrained` (config.json, model.safetensors,
preprocessor_config.json), or from a hub name after an explicit pull. Images are prepared by the PIL image processors,
so torchvision is not needed; ViTPose's own processor also maps its heat maps back (unbiased decoding).
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyad.core.detections import Detections
from dyad.core.errors import BadInput, BadUsage, MissingExtra, MissingWeights
from dyad.core.skeleton import COCO17
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.stages.topdown_boxes import Boxes, Poses, detect, suppress

_COPIES = 0.85  # overlap (intersection over union) from which two boxes are one person
_MARGIN = 1.25  # what ViTPose's processor shows of a box
_DETECTORS = ("rt_detr", "rt_detr_v2", "d_fine")


class TransformersDetector:
    """Top-down detector of 2D joints from two networks of the transformers library; gives COCO17, no xyz.

    Args:
        detector_folder: folder, or name on the Hugging Face hub, of an RT-DETR(v2) or D-FINE network.
        pose_folder: the same for a ViTPose (or ViTPose+) network of 17 COCO joints.
        device: where the networks run.
        score_threshold: boxes below this score are not looked at.
        batch: frames held and searched at once.
        crops: people read at once.
        pull: allow the download of hub names that are not in the local cache.

    Raises:
        MissingExtra: transformers is not installed.
        MissingWeights: no usable network where it was named.
        BadInput: the folder holds another kind of network.
    """

    def __init__(
        self,
        detector_folder: str | Path,
        pose_folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        score_threshold: float = 0.4,
        batch: int = 4,
        crops: int = 16,
        pull: bool = False,
    ) -> None:
        if not 0 <= score_threshold <= 1 or batch < 1 or crops < 1:
            raise BadUsage(
                "the transformers detector expects score_threshold in 0..1 and batch and crops of at least 1, "
                f"got {score_threshold}, {batch} and {crops}: change them"
            )
        library = _library()
        self.boxes = TransformersBoxes(library, detector_folder, device=device, threshold=score_threshold, pull=pull)
        self.poses = TransformersPoses(library, pose_folder, device=device, batch=crops, pull=pull)
        self.batch = batch

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterable[Detections]:
        """Detections of every frame, in order, as the video streams; `prior` is not used."""
        return self._detect(video)

    def _detect(self, video: Video) -> Iterator[Detections]:
        yield from detect(video, self.boxes, self.poses, batch=self.batch)


class TransformersBoxes:
    """Boxes of people from an RT-DETR-like network."""

    def __init__(
        self, library: ModuleType, source: str | Path, *, device: str | torch.device, threshold: float, pull: bool
    ) -> None:
        config = _load(library.AutoConfig, source, pull)
        if config.model_type not in _DETECTORS:
            raise BadInput(f"{source}: expected one of {', '.join(_DETECTORS)}, got a {config.model_type} network")
        labels = [index for index, name in config.id2label.items() if name.lower() == "person"]
        if not labels:
            known = ", ".join(list(config.id2label.values())[:5])
            raise BadInput(f"{source}: expected a network with the label 'person', got labels like {known}")
        self.person = int(labels[0])
        self.threshold = threshold
        self.processor = _load(library.RTDetrImageProcessorPil, source, pull)
        self.network = _load_network(library.AutoModelForObjectDetection, source, pull, device)

    def __call__(self, images: np.ndarray) -> list[Boxes]:
        height, width = images.shape[1:3]
        inputs = self.processor(images=list(images), input_data_format="channels_last", return_tensors="pt")
        with torch.inference_mode():
            outputs = self.network(pixel_values=inputs["pixel_values"].to(self.network.device))
        # A query's score as a person counts, even where it looks more like something else.
        scores = outputs.logits.float()[..., self.person].sigmoid().cpu()
        centre, size = outputs.pred_boxes.float().cpu().split(2, dim=-1)
        # The network's boxes are shares of the image from edge to edge; the edge lies at -0.5 px.
        corners = torch.cat((centre - size / 2, centre + size / 2), -1)
        corners = corners * torch.tensor((width, height)).repeat(2) - 0.5
        # Each person has one query in the main; what suppression follows only removes near copies.
        chosen = scores >= self.threshold
        return [suppress(Boxes(c[k], s[k]), _COPIES) for c, s, k in zip(corners, scores, chosen, strict=True)]


class TransformersPoses:
    """Joints inside boxes from a ViTPose network."""

    def __init__(
        self, library: ModuleType, source: str | Path, *, device: str | torch.device, batch: int, pull: bool
    ) -> None:
        config = _load(library.AutoConfig, source, pull)
        if config.model_type != "vitpose":
            raise BadInput(f"{source}: expected a vitpose network, got a {config.model_type} network")
        if config.num_labels != len(COCO17):
            raise BadInput(f"{source}: expected the 17 joints of COCO, got {config.num_labels}; take a COCO network")
        self.experts = config.backbone_config.num_experts > 1
        self.batch = batch
        self.processor = _load(library.VitPoseImageProcessorPil, source, pull)
        self.network = _load_network(library.VitPoseForPoseEstimation, source, pull, device)

    def __call__(self, images: np.ndarray, owner: Tensor, boxes: Tensor) -> Poses:
        # ViTPose's processor takes corner, width and height; it adds a margin of a quarter and fixes the aspect.
        sized = torch.cat((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), -1).numpy()
        steps = range(0, len(sized), self.batch)
        parts = [self._read(images, owner[n : n + self.batch].numpy(), sized[n : n + self.batch]) for n in steps]
        return Poses(torch.cat([part.xy for part in parts]), torch.cat([part.confidence for part in parts]))

    def _read(self, images: np.ndarray, owner: np.ndarray, boxes: np.ndarray) -> Poses:
        order = np.argsort(owner, kind="stable")  # the processor takes and returns people image by image
        used = np.unique(owner)
        grouped = [boxes[owner == image] for image in used]
        inputs = self.processor(
            images=[images[image] for image in used],
            boxes=grouped,
            input_data_format="channels_last",
            return_tensors="pt",
        )
        pixels = inputs["pixel_values"].float().to(self.network.device)
        # ViTPose+ has one expert per data set it was trained on; the first is COCO.
        which = {"dataset_index": torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)}
        with torch.inference_mode():
            outputs = self.network(pixel_values=pixels, **(which if self.experts else {}))
        outputs.heatmaps = outputs.heatmaps.float()
        found = [person for image in self.processor.post_process_pose_estimation(outputs, grouped) for person in image]
        back = torch.from_numpy(np.argsort(order))
        xy = torch.stack([person["keypoints"] for person in found]).float()[back]
        peak = torch.stack([person["scores"] for person in found]).float()[back]
        known = (peak > 0) & self._inside(xy, torch.from_numpy(boxes))
        return Poses(
            torch.where(known[..., None], xy, torch.full_like(xy, torch.nan)),
            torch.where(known, peak, torch.zeros_like(peak)).clamp(0, 1),
        )

    def _inside(self, xy: Tensor, boxes: Tensor) -> Tensor:
        """Whether joints (M, J, 2) lie in what the network saw: refining a flat heat map can throw them anywhere."""
        aspect = self.processor.size["width"] / self.processor.size["height"]
        width = torch.maximum(boxes[:, 2], boxes[:, 3] * aspect)
        reach = torch.stack((width, width / aspect), -1) * (_MARGIN / 2 * 1.05)
        centre = boxes[:, :2] + boxes[:, 2:] / 2
        return ((xy - centre[:, None]).abs() <= reach[:, None]).all(-1)


def _library() -> ModuleType:
    try:
        transformers = import_module("transformers")
    except ImportError as error:
        raise MissingExtra.of("transformers", "transformers", "the transformers detector") from error
    if not hasattr(transformers, "VitPoseImageProcessorPil"):
        raise MissingExtra(
            f"the transformers detector expects transformers 5 or later, got {transformers.__version__}: "
            "pip install -U 'dyad-pose[transformers]'"
        )
    return transformers


def _load(kind: Any, source: str | Path, pull: bool, **options: Any) -> Any:
    """`kind.from_pretrained`, with one sentence when nothing usable is there."""
    unreadable = import_module("safetensors").SafetensorError  # comes with transformers
    place = str(source) if pull and not Path(source).is_dir() else str(_local(source))
    try:
        return kind.from_pretrained(place, local_files_only=not pull, **options)
    except (OSError, ValueError, RuntimeError, unreadable) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if place == str(source) and pull:
            raise MissingWeights(
                f"{source}: could not be pulled from the hub: {reason}; give a local folder"
            ) from error
        raise MissingWeights(
            f"{source}: expected a transformers network (config.json, preprocessor_config.json, "
            f"model.safetensors), got: {reason}"
        ) from error


def _local(source: str | Path) -> Path:
    """The folder of a network: the one given, or what an earlier pull of that name left in the cache.

    The cache is asked directly: `from_pretrained` of a name may reach for the network even with `local_files_only`.
    """
    if Path(source).is_dir():
        return Path(source)
    try:
        config = import_module("huggingface_hub").try_to_load_from_cache(str(source), "config.json")
    except ValueError:  # not the form of a hub name
        config = None
    if isinstance(config, str):
        return Path(config).parent
    raise MissingWeights(
        f"{source}: expected a folder with a transformers network, got neither a folder nor a network in the local "
        "cache: give a folder, or pull that hub name explicitly (pull=True)"
    )


def _load_network(kind: Any, source: str | Path, pull: bool, device: str | torch.device) -> Any:
    """A network with every tensor from its file: a missing one would otherwise be filled with random numbers."""
    network, report = _load(kind, source, pull, use_safetensors=True, output_loading_info=True)
    absent = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if absent:
        raise MissingWeights(
            f"{source}: expected every tensor of the network, {len(absent)} are missing, first {absent[0]}"
        )
    return network.to(device).eval()
