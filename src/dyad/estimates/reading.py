"""Files of other tools as tracks or detections: recognised by their contents, tied to a video, placed in its camera."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Flag, Tracks
from dyad.core.video import Video
from dyad.estimates import alphapose, bootstrap, coco, mmpose, openpose, posetrack, vibe
from dyad.estimates.contents import LAST_FRAME, Arrays, Contents, Folder, open_contents
from dyad.estimates.people import People
from dyad.estimates.recording import Recording
from dyad.estimates.seeing import placed, with_joints
from dyad.estimates.sheet import ONLY_2D, OWN, Cleaned, Sheet, boxes_of, cleaned

_LOG = logging.getLogger(__name__)
_MOST_FRAMES = 1_000_000
_DYAD = "dyad"


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        name: what `format=` calls it. mark: by what it is known, for messages.
        fits: whether contents are of this kind. read: contents and the image's size in px to what they say.
    """

    name: str
    mark: str
    fits: Callable[[Contents], bool]
    read: Callable[[Contents, tuple[int, int]], Sheet]


# In the order in which they are tried: a list of people with an image each is AlphaPose's before it is COCO's.
_READERS = (
    Format("openpose", "a folder of *_keypoints.json, or JSON with `people`", openpose.fits, openpose.read),
    Format("mmpose", "JSON with `instance_info`, or frames with `instances`", mmpose.fits, mmpose.read),
    Format("posetrack", "JSON with `annolist`, or `Info` as DCPose's demo writes", posetrack.fits, posetrack.read),
    Format("alphapose", "a JSON list of people with image names, `idx` or `box`", alphapose.fits, alphapose.read),
    Format("coco", "a JSON list with `image_id`, or `images` and `annotations`", coco.fits, coco.read),
    Format("vibe", "arrays `joints3d` (T, 49, 3), or a folder of such .npz", vibe.fits, vibe.read),
    Format(
        "metro",
        "arrays `pred_3d_joints_from_smpl` (T, 14, 3) and `pred_camera`",
        bootstrap.fits_metro,
        bootstrap.read_metro,
    ),
    Format("anatomy3d", "an array (T, 17, 3) of metres", bootstrap.fits_anatomy3d, bootstrap.read_anatomy3d),
    Format("dcpose", "an array `detections` (T, 17, 3) of px and scores", bootstrap.fits_dcpose, bootstrap.read_dcpose),
)
FORMATS = (_DYAD, *(reader.name for reader in _READERS))
"""Names of what can be read."""


def read_people(
    path: str | Path,
    *,
    video: Video | None = None,
    camera: Camera | None = None,
    fps: float | None = None,
    frames: Sequence[int] | None = None,
    format: str | None = None,
    first: int | None = None,
    detections: str | Path | None = None,
) -> People:
    """Read what another tool found, or tracks of our own.

    Args:
        path: a file, or for some tools a folder; docs/estimates.md lists them.
        video: what the poses are of. Without it `camera` says the image's size, and frames are those of the file.
        camera: of the whole image; the video's own if None.
        fps, frames: frames a second and source indices, without a video.
        format: one of `FORMATS`; recognised by the contents if None.
        first: the number in the file that stands for frame 0; what the tool is known to count from if None, else 0, or
            1 where the last frame could not be otherwise.
        detections: another file, of any format with 2D, whose joints become `xy`; poses without 2D need it.

    Poses about their own root are placed in the camera where their 2D joints appear, by least squares. Frames that the
    video (or `frames`) does not have are left out. Raises BadInput for what cannot be read and BadUsage for options
    that contradict each other.
    """
    if format is not None and format not in FORMATS:
        raise BadUsage(f"the formats that can be read are {', '.join(FORMATS)}; got {format!r}")
    recording = Recording.of(video, camera=camera, fps=fps, frames=frames)
    contents = open_contents(path)
    if format == _DYAD or (format is None and _is_ours(contents)):
        people = _own(contents.path, recording)
    else:
        reader = next((r for r in _READERS if r.name == format), None) or _recognised(contents)
        people = _tied(reader.read(contents, recording.camera.size), recording, reader.name, contents.path, first)
    if detections is not None:
        told = replace(recording, frames=people.rows.frames.numpy(), times=people.rows.times.numpy())
        people = with_joints(people, _flat(detections, told))
    return _standing(people, contents.path)


def _flat(path: str | Path, recording: Recording) -> People:
    """The people of a file of detections, which need not stand anywhere."""
    contents = open_contents(path)
    if _is_ours(contents):
        return _own(contents.path, recording)
    reader = _recognised(contents)
    return _tied(reader.read(contents, recording.camera.size), recording, reader.name, contents.path, None)


def _is_ours(contents: Contents) -> bool:
    if isinstance(contents, Folder):
        return any(file.name == "tracks.npz" for file in contents.files)
    return isinstance(contents, Arrays) and "header" in contents and "xyz" in contents


def _recognised(contents: Contents) -> Format:
    for reader in _READERS:
        if reader.fits(contents):
            return reader
    looked = "; ".join(f"{reader.name}: {reader.mark}" for reader in _READERS)
    raise BadInput(f"{contents.path} is of no known tool. Looked for {_DYAD}: tracks.npz; {looked}")


def _own(path: Path, recording: Recording) -> People:
    tracks = Tracks.load(path)
    if tracks.camera.size != recording.camera.size:
        raise BadInput(
            f"the tracks at {path} are of images of {tracks.camera.size} px, the video has {recording.camera.size} px"
        )
    if recording.frames is not None:
        there = torch.from_numpy(recording.frames)
        if len(tracks) and not torch.isin(tracks.frame, there).any():
            raise BadInput(
                f"the tracks at {path} are of people in the frames {int(tracks.frame.min())} to "
                f"{int(tracks.frame.max())}, none of which is among the {len(there)} of "
                f"{recording.video or 'the recording'}; give tracks of the same frames"
            )
        tracks = tracks[torch.isin(tracks.frame, there)].with_(frames=there, times=_times(recording, recording.frames))
        tracks = tracks.with_(time=tracks.times[torch.searchsorted(tracks.frames, tracks.frame)])
    return own_people(tracks)


def own_people(tracks: Tracks) -> People:
    """Tracks of our own as people, to be refined in 2D where there is no 3D, or one that was made up (`Flag.FLAT`)."""
    flat = not torch.isfinite(tracks.xyz).any() or bool(((tracks.flags & Flag.FLAT) > 0).all())
    return People(_DYAD, ONLY_2D if flat else OWN, True, tracks, tracks.confidence.nan_to_num().mean(-1))


def _tied(sheet: Sheet, recording: Recording, tool: str, path: Path, first: int | None) -> People:
    """A sheet's people in the frames of a recording; poses stay where they are."""
    first = sheet.counted if first is None else first
    about = sheet.number if sheet.numbers is None else sheet.numbers
    first = recording.first(about) if first is None else first
    if len(about) and about.min() < first:
        raise BadInput(f"{path} is of frame {about.min()}, and counting from {first} there is none before")
    rows = cleaned(sheet)
    frame = sheet.number[rows.kept] - first
    if recording.frames is None:
        last = int(about.max(initial=first - 1)) - first
        if last >= min(_MOST_FRAMES, LAST_FRAME):
            raise BadInput(f"{path} is of frame {last}, beyond any video of {_MOST_FRAMES} frames")
        frames = np.arange(last + 1)
    else:
        frames = recording.frames
    keep = np.isin(frame, frames)
    lost = frame[~keep]
    if len(frame) and not keep.any():
        raise BadInput(
            f"{path} is of the frames {frame.min()} to {frame.max()}, none of which is among the {len(frames)} of "
            f"{recording.video or 'the recording'}; say by `first` what its count begins with"
        )
    if len(frames) and (lost > frames[-1]).any():
        _LOG.warning("%s: %d poses lie beyond the last frame, and are left out", path, int((lost > frames[-1]).sum()))
    return _people(sheet, rows, np.flatnonzero(keep), frame, recording, frames, tool)


def _people(
    sheet: Sheet,
    rows: Cleaned,
    keep: np.ndarray,
    frame: np.ndarray,
    recording: Recording,
    frames: np.ndarray,
    tool: str,
) -> People:
    frame = frame[keep]
    identified = sheet.person is not None
    person = np.zeros(0, np.int64) if sheet.person is None else sheet.person[rows.kept][keep]
    if not identified or len(np.unique(np.stack((frame, person)), axis=1)[0]) < len(frame):
        # AlphaPose and others write one identity for all where they do not track.
        identified, person = False, _places(frame)
    order = np.lexsort((frame, person))
    keep = keep[order]
    made = Tracks.of_rows(
        skeleton=sheet.skeleton,
        camera=recording.camera,
        frame=torch.from_numpy(frame[order]),
        person=torch.from_numpy(person[order]),
        xy=torch.from_numpy(rows.xy[keep]),
        confidence=torch.from_numpy(rows.confidence[keep]),
        xyz=None if rows.xyz is None else torch.from_numpy(rows.xyz[keep]),
        box=torch.from_numpy(rows.box[keep]),
        frames=torch.from_numpy(np.asarray(frames)),
        times=_times(recording, frames),
        fps=recording.fps,
        video=recording.video,
    )
    return People(tool, sheet.advice, identified, made, torch.from_numpy(rows.score[keep]).float())


def _times(recording: Recording, frames: np.ndarray) -> torch.Tensor:
    times = np.asarray(frames) / recording.fps if recording.times is None else recording.times
    return torch.from_numpy(np.asarray(times, np.float64))


def _places(frame: np.ndarray) -> np.ndarray:
    """The place (N,) of each person among those of their frame."""
    order = np.argsort(frame, kind="stable")
    _, starts, counts = np.unique(frame[order], return_index=True, return_counts=True)
    place = np.empty(len(frame), np.int64)
    place[order] = np.arange(len(frame)) - np.repeat(starts, counts)
    return place


def _standing(people: People, path: Path) -> People:
    """The people with their poses placed in the camera, and boxes for those that got their 2D joints only now."""
    rows = people.rows
    if people.tool == _DYAD or not people.has_3d:
        return people
    if not torch.isfinite(rows.xy).any():
        raise BadInput(
            f"{path} holds poses about their own root and no 2D joints that would say where they are: give a file of "
            "2D joints of the same people as `detections`"
        )
    box = torch.from_numpy(boxes_of(rows.xy.double().numpy())).float()
    box = torch.where(torch.isfinite(rows.box).all(-1, keepdim=True), rows.box, box)
    xyz = placed(rows.xyz, rows.xy, rows.confidence, rows.camera)
    return replace(people, rows=rows.with_(xyz=xyz, box=box))
