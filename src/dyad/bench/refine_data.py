"""Cases from data sets in their own layouts: Human3.6M, 3DPW and Sintel as the flow-and-pose paper takes them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from dyad.bench.predictions import Found, pick
from dyad.bench.refine_cases import Case, Poses
from dyad.bench.refine_scores import Scored
from dyad.bench.refine_tables import EVERYWHERE, JOINTS
from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.flow import Lazy
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.human36m import read_human36m
from dyad.datasets.reading import natural
from dyad.datasets.sintel import HUMAN_SCENES, read_sintel
from dyad.datasets.threedpw import read_3dpw
from dyad.estimates.sheet import Advice
from dyad.evaluation.protocols import protocol_of
from dyad.refinement.inputs import tracks_on


@dataclass(frozen=True)
class DataSet:
    """How a data set counts: its protocol, which end-point error, and whether poses are refined in 2D."""

    name: str
    protocol: str
    epe: str = JOINTS
    flat: bool = False

    @property
    def scored(self) -> Scored | None:
        rules = protocol_of(self.protocol)
        return Scored.of_protocol(self.protocol) if rules.joints else None


SETS = (
    DataSet("human36m", "h36m-14"),
    DataSet("3dpw", "3dpw"),
    DataSet("sintel", "sintel-human", epe=EVERYWHERE, flat=True),
)


def find_sets(folder: str | Path) -> list[tuple[DataSet, Path]]:
    """The data sets that a folder is, or that lie in it, by their layouts. BadInput where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}")
    inside = sorted((path for path in folder.iterdir() if path.is_dir()), key=natural)
    found = [(each, place) for place in (folder, *inside) for each in SETS if _is(each.name, place)]
    if not found:
        raise BadInput(
            f"{folder} holds none of Human3.6M (data_3d_h36m.npz, or S9/MyPoseFeatures), 3DPW (sequenceFiles) and "
            "Sintel (training/final)"
        )
    return found


def _is(name: str, folder: Path) -> bool:
    match name:
        case "human36m":
            return (folder / "data_3d_h36m.npz").is_file() or any(folder.glob("S*/MyPoseFeatures"))
        case "3dpw":
            return (folder / "sequenceFiles").is_dir()
    return (folder / "training" / "final").is_dir()


@dataclass(frozen=True)
class Predicted:
    """Poses that other tools wrote: a file or folder for each clip, found by the clip's name.

    Attributes:
        read: makes tracks of a file or folder and the video that it is about, and says how to refine them.
    """

    folder: Path
    read: Callable[[Path, Video], tuple[Tracks, Advice]]
    name: str = "predictions"

    def __call__(self, clip: Clip, seed: int) -> tuple[Tracks, Advice | None]:
        """Raises BadInput where there is nothing of the clip's name."""
        place = self.place(clip)
        if place is None or clip.video is None:
            raise BadInput(f"{self.folder} holds no predictions of {clip.name}")
        return self.read(place, clip.video)

    def place(self, clip: Clip) -> Path | None:
        root = self.folder
        paths = [root] if root.is_file() else sorted((p for p in root.rglob("*") if _first(p, root)), key=natural)
        # `S9/Walking.60457274.json` and the folder of that name are of one clip: a clip's name may hold dots.
        found = [Found(p.relative_to(root).with_suffix("").as_posix() if p.is_file() else p.name, p) for p in paths]
        found += [Found(p.relative_to(root).as_posix(), p) for p in paths if p.is_dir()]
        best = pick(clip.name, found)
        return None if best is None else best.path


def _first(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


@dataclass(frozen=True)
class DataCases:
    """Cases of one data set: every clip as its protocol takes it, with the poses of every estimator.

    Attributes:
        clips: at most so many; frames: at most so many of each that count.
    """

    dataset: DataSet
    folder: Path
    poses: Sequence[Poses]
    clips: int | None = None
    frames: int | None = None

    def __call__(
        self, estimator: FlowEstimator, progress: Callable[[str, int, int | None], None] | None = None
    ) -> Iterator[Case]:
        """Raises BadInput where nothing can be measured: no images, or no poses of any clip."""
        count = blind = 0
        for number, clip in enumerate(islice(self._clips(), self.clips)):
            if clip.video is None:
                blind += 1
                continue
            for poses in self.poses:
                if isinstance(poses, Predicted) and poses.place(clip) is None:
                    continue
                tracks, advice = poses(clip, number)
                tracks = tracks_on(tracks, clip.video)
                name = f"{clip.name} {poses.name}"
                yield Case(name, clip.name, self.dataset.name, poses.name, clip, tracks, estimator, advice)
                count += 1
            if progress is not None:
                progress(self.dataset.name, number + 1, self.clips)
        if not count:
            lacks = f"{blind} clips without images" if blind else "no clip with predictions"
            raise BadInput(f"{self.folder}: nothing to refine, {lacks}")

    def _clips(self) -> Iterator[Clip]:
        rules = protocol_of(self.dataset.protocol)
        match self.dataset.name:
            case "human36m":
                clips = read_human36m(self.folder, split=rules.split, cameras=rules.cameras)
            case "3dpw":
                clips = read_3dpw(self.folder, split=rules.split)
            case _:
                images = self.folder / "training" / "final"
                scenes = [scene for scene in HUMAN_SCENES if (images / scene).is_dir()]
                clips = read_sintel(self.folder, split="training", rendering="final", scenes=scenes or None)
        return (counted(clip, fps=None if self.dataset.flat else rules.fps, first=rules.first, frames=self.frames)
                for clip in clips)  # fmt: skip


def counted(clip: Clip, *, fps: float | None, first: int = 0, frames: int | None = None) -> Clip:
    """The frames of a clip that count, images and truth: from `first` on at `fps` a second, `frames` at most."""
    rate = clip.truth.fps if clip.truth is not None else clip.video.fps if clip.video is not None else 0.0
    step = max(1, round(rate / fps)) if fps else 1
    stop = None if frames is None else first + step * frames
    if step == 1 and not first and stop is None:
        return clip
    truth, flow = clip.truth, clip.flow
    if truth is not None:
        chosen = slice(first, stop, step)
        kept = truth.frames[chosen]
        rows = truth[torch.isin(truth.frame, kept)]
        truth = replace(rows, frames=kept, times=truth.times[chosen], fps=truth.fps / step)
    if flow is not None:
        whole = flow
        last = len(whole) if stop is None else min(stop - 1, len(whole))
        flow = None if step > 1 else Lazy(max(last - first, 0), lambda k: whole[first + k])
    video = None if clip.video is None else clip.video.selected(frames=slice(first, stop), every=step)
    return Clip(video, truth, flow=flow)
