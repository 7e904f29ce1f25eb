"""People made of formulas: stick bodies that walk on given paths in front of a known camera."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dyad.core.camera import Camera
from dyad.core.skeleton import BLAZEPOSE33, Skeleton
from dyad.core.tracks import Tracks
from dyad.evaluation.oks import oks, sigmas
from dyad.evaluation.tracking import Frame, hota, identity

CAMERA = Camera.from_focal((1280, 720), 900.0)
FPS = 30.0
Path = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

# Right half of a standing body, m: across, up from the floor, towards the front.
_BODY = {
    "nose": (0, 1.58, 0.12), "eye_inner": (0.015, 1.62, 0.10), "eye": (0.03, 1.62, 0.10),
    "eye_outer": (0.045, 1.62, 0.09), "ear": (0.075, 1.60, 0.0), "mouth": (0.025, 1.54, 0.10),
    "shoulder": (0.18, 1.42, 0), "elbow": (0.22, 1.12, 0), "wrist": (0.24, 0.88, 0.05), "pinky": (0.25, 0.80, 0.05),
    "index": (0.24, 0.79, 0.07), "thumb": (0.22, 0.83, 0.08), "hip": (0.11, 0.92, 0), "knee": (0.11, 0.50, 0.02),
    "ankle": (0.11, 0.09, 0), "heel": (0.11, 0.03, -0.05), "foot_index": (0.12, 0.02, 0.15),
}  # fmt: skip


@dataclass(frozen=True)
class Walker:
    """Someone whose path gives x and z in m at times (T,) s, NaN while away."""

    path: Path
    height: float = 1.0
    phase: float = 0.0


@dataclass(frozen=True)
class Clock:
    """All of a video that trackers and oracles ask for."""

    indices: np.ndarray
    times: np.ndarray
    camera: Camera = CAMERA
    fps: float = FPS
    name: str = "walkers"
    size: tuple[int, int] = CAMERA.size

    def every(self, n: int) -> "Clock":
        return Clock(self.indices[::n], self.times[::n], fps=self.fps / n)


def clock(seconds: float, fps: float = FPS) -> Clock:
    frames = np.arange(round(seconds * fps))
    return Clock(frames, frames / fps, fps=fps)


def line(x0: float, x1: float, z: float, seconds: float, z1: float | None = None) -> Path:
    end = z if z1 is None else z1
    return lambda t: (x0 + (x1 - x0) * t / seconds, z + (end - z) * t / seconds)


def truth(walkers: Sequence[Walker], clock: Clock, skeleton: Skeleton = BLAZEPOSE33) -> Tracks:
    """Everyone whose trunk is inside the image."""
    rows: dict[str, list] = {"frame": [], "person": [], "time": [], "xyz": []}
    for person, walker in enumerate(walkers):
        x, z = (np.broadcast_to(v, clock.times.shape) for v in walker.path(clock.times))
        for frame, time, at_x, at_z in zip(clock.indices, clock.times, x, z, strict=True):
            body = _body(time, walker)
            xyz = body + np.array((at_x, 1.0, at_z))
            chest = CAMERA.project(torch.tensor([[at_x, -0.3, at_z]]))[0]
            if np.isfinite(at_x) and 0 <= chest[0] < CAMERA.size[0]:
                for name, value in zip(rows, (frame, person, time, xyz), strict=True):
                    rows[name].append(value)
    xyz = torch.tensor(np.array(rows["xyz"]).reshape(-1, 33, 3), dtype=torch.float32)
    xyz = BLAZEPOSE33.convert(xyz, skeleton)
    xy = CAMERA.project(xyz)
    low, high = xy.nan_to_num(nan=1e9).amin(1), xy.nan_to_num(nan=-1e9).amax(1)
    return Tracks.of_rows(
        frame=torch.tensor(np.array(rows["frame"]), dtype=torch.int64),
        person=torch.tensor(np.array(rows["person"]), dtype=torch.int64),
        time=torch.tensor(np.array(rows["time"]), dtype=torch.float64),
        xyz=xyz,
        xy=xy,
        box=torch.cat((low, high), -1),
        confidence=torch.isfinite(xy).all(-1).float(),
        skeleton=skeleton,
        camera=CAMERA,
        fps=clock.fps,
        video=clock.name,
        frames=torch.tensor(clock.indices),
        times=torch.tensor(clock.times),
    )


def _body(time: float, walker: Walker) -> np.ndarray:
    """Joints (33, 3) m about the floor point under the body, swinging arms and legs in step."""
    swing = 0.25 * np.sin(2 * np.pi * (time + walker.phase))
    out = []
    for name in BLAZEPOSE33.names:
        side = -1 if "right" in name else 1
        x, up, front = _BODY[name.replace("left_", "").replace("right_", "").replace("_left", "").replace("_right", "")]
        arm, leg = max(0.0, 1.42 - up) / 0.5, max(0.0, 0.92 - up) / 0.9
        is_arm = any(part in name for part in ("elbow", "wrist", "pinky", "index", "thumb")) and "foot" not in name
        stride = swing * side * (-arm if is_arm else leg)
        # The body is seen half from the side, so that a stride shows in the image.
        out.append((0.7 * side * x + 0.7 * (front + stride), -up, 0.7 * (front + stride) - 0.7 * side * x))
    return np.array(out) * walker.height


def frames_of(real: Tracks, found: Tracks) -> list[Frame]:
    """Frames for `dyad.evaluation.tracking`, by OKS."""
    sigma = sigmas(real.skeleton.names)
    out = []
    for frame in real.frames.tolist():
        mine, theirs = real[real.frame == frame], found[found.frame == frame]
        size = mine.box[:, 2:] - mine.box[:, :2]
        alike = oks(mine.xy, theirs.xy, area=0.53 * size.prod(-1), sigma=sigma)
        out.append(Frame(mine.person.numpy(), theirs.person.numpy(), alike))
    return out


def scores(real: Tracks, found: Tracks) -> tuple[float, float, float]:
    """IDF1, HOTA's association accuracy, HOTA."""
    frames = frames_of(real, found)
    h = hota(frames)
    return identity(frames).idf1, h.association, h.hota
