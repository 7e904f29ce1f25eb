"""The bottom-up branch as a detector: everyone in a frame at once, in metres, told or not where people are known to be.

Cheng et al. CVPR 2021, section 3.2, on the frozen features of BlazePose's detector: depth is read off the maps as in
equations 3 and 4, but normalised so that one network serves all cameras.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.camera import Camera
from dyad.core.detections import Detections
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.geometry.grids import rescale_xy, to_float
from dyad.models.blazepose_heads import STRIDE, PersonMaps
from dyad.models.person_maps import draw_person_maps
from dyad.models.person_reading import ReadPeople, merge, read_people

if TYPE_CHECKING:
    from dyad.core.video import Video

SIZES = (320, 640)
_PRIOR_SIGMA = 0.7  # cells
_UNTRUSTED = 0.3

PersonNet = Callable[[Tensor, Tensor | None], PersonMaps]
"""Images (N, 3, H, W) in 0..1 and a prior (N, J, H/8, W/8) or None to maps: `PersonNetwork`."""


class BottomUp:
    """Detects everyone with body17's joints in the image and in the camera frame.

    Args:
        network: `PersonNetwork` with trained heads. device: where it runs.
        sizes: longer sides in px at which a frame is shown. threshold: lowest score. most: people a frame.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        *,
        device: torch.device | str = "cpu",
        sizes: tuple[int, ...] = SIZES,
        threshold: float = 0.3,
        most: int = 32,
    ) -> None:
        self.network = network.to(device).eval()
        self.device = torch.device(device)
        self.sizes, self.threshold, self.most = sizes, threshold, most

    def __call__(self, video: "Video", prior: Tracks | None = None) -> Iterator[Detections]:
        """Detections of every frame in order. `prior`: where another branch saw people; frames are those of `video`."""
        known = None if prior is None else _by_frame(prior)
        for chunk in video.chunks(8):
            for k, image in enumerate(torch.from_numpy(chunk.images).permute(0, 3, 1, 2)):
                frame = int(chunk.indices[k])
                given = None if known is None else known.get(frame, torch.zeros(0, len(BODY17), 2))
                people = self.read(image, given)
                yield self._detections(people, video.camera, frame, float(chunk.times[k]), bool(chunk.cut[k]))

    @torch.inference_mode()
    def read(self, image: Tensor, given: Tensor | None = None) -> ReadPeople:
        """Everyone in an image (3, H, W), in its px; `given` (P, 17, 2) px, NaN where unknown, are people known."""
        return read_image(
            self.network, image, sizes=self.sizes, threshold=self.threshold, most=self.most, given=given,
            device=self.device,
        )  # fmt: skip

    def _detections(self, people: ReadPeople, camera: Camera, frame: int, time: float, cut: bool) -> Detections:
        xyz = place(people, camera)
        low, high = people.xy.amin(1), people.xy.amax(1)
        margin = 0.05 * (high - low)
        return Detections(
            frame=frame,
            time=time,
            boxes=torch.cat((low - margin, high + margin), -1),
            scores=people.score,
            xy=people.xy,
            confidence=people.confidence,
            skeleton=BODY17,
            xyz=xyz,
            cut=cut,
        )


def read_image(
    network: PersonNet,
    image: Tensor,
    *,
    sizes: tuple[int, ...] = SIZES,
    threshold: float = 0.3,
    most: int = 32,
    given: Tensor | None = None,
    device: torch.device | str = "cpu",
) -> ReadPeople:
    """Everyone in an image (3, H, W) uint8 or float that is shown at several sizes, in its own px."""
    image = to_float(image)[None]
    parts = []
    for size in sizes:
        scale = size / max(image.shape[-2:])
        height, width = (max(1, round(side * scale)) for side in image.shape[-2:])
        shown = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
        shown = F.pad(shown, (0, -width % 32, 0, -height % 32))
        across = torch.tensor((width / image.shape[-1], height / image.shape[-2]))
        prior = None
        if given is not None:
            grid = (shown.shape[-1] // STRIDE, shown.shape[-2] // STRIDE)
            prior = draw_person_maps(rescale_xy(given.float(), across / STRIDE), grid, sigma=_PRIOR_SIGMA)[None]
            prior = prior.to(device)
        maps = network(shown.to(device), prior)
        read = read_people(PersonMaps(*(value.float().cpu() for value in maps)), threshold=threshold, most=most)
        middle, xy = (rescale_xy(points, 1 / across) for points in (read.middle, read.xy))
        parts.append(read._replace(middle=middle, xy=xy, reach=read.reach / scale))
    people = ReadPeople(*(torch.cat(values) for values in zip(*parts, strict=True)))
    return people.chosen(merge(people)[:most])


def place(people: ReadPeople, camera: Camera) -> Tensor:
    """Joints (M, J, 3) m in the camera frame: depth of the root, and of the joints beyond it, on the joints' rays."""
    focal = float(camera.focal.mean())
    root = people.metres * focal / people.reach.clamp(min=1e-3)
    depth = (root[:, None] + people.relative).clamp(min=0.1)
    return camera.unproject(people.xy.double(), depth.double()).float()


def _by_frame(tracks: Tracks) -> dict[int, Tensor]:
    """Joints (P, 17, 2) px of each frame, NaN where they are not to be trusted."""
    xy = tracks.skeleton.convert(tracks.xy, BODY17)
    sure = tracks.skeleton.convert_confidence(tracks.confidence, BODY17) > _UNTRUSTED
    xy = torch.where(sure[..., None], xy, torch.full_like(xy, torch.nan)).float()
    return {int(frame): xy[tracks.frame == frame] for frame in torch.unique(tracks.frame).tolist()}
