"""Two people who walk past each other, as tracks, and clips whose every frame carries its number as a bar code."""

import math
from pathlib import Path

import numpy as np
import torch

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks, World
from dyad.export.video import clip_writer
from dyad.viewer.raster import line

TILT = 0.12  # the camera looks down by so much (rad) from this height (m)
CAMERA_HEIGHT = 1.7
BITS = 12


def person(t: float, x: float, z: float, heading: float, tall: float, phase: float) -> np.ndarray:
    """Joints (17, 3) in a world with y up and the floor at zero, of someone who walks towards `heading`."""
    s, swing = tall / 1.75, math.sin(2 * math.pi * 0.9 * t + phase)
    hip, shoulder = 0.92 * s, 1.44 * s
    bob = 0.02 * abs(swing)

    def leg(side: float, angle: float) -> list[tuple[float, float, float]]:
        bend = 0.5 * max(0.0, -angle)
        knee = (0.44 * s * math.sin(angle), hip - 0.44 * s * math.cos(angle))
        shin = angle - bend
        return [
            (side * 0.11 * s, 0.0, hip),
            (side * 0.11 * s, knee[0], knee[1]),
            (side * 0.11 * s, knee[0] + 0.42 * s * math.sin(shin), knee[1] - 0.42 * s * math.cos(shin)),
        ]

    def arm(side: float, angle: float) -> list[tuple[float, float, float]]:
        elbow = (0.28 * s * math.sin(angle), shoulder - 0.28 * s * math.cos(angle))
        fore = angle + 0.45
        return [
            (side * 0.19 * s, 0.0, shoulder),
            (side * 0.22 * s, elbow[0], elbow[1]),
            (side * 0.22 * s, elbow[0] + 0.26 * s * math.sin(fore), elbow[1] - 0.26 * s * math.cos(fore)),
        ]

    local = [(0.0, 0.0, hip + 0.02), *leg(1, 0.45 * swing), *leg(-1, -0.45 * swing)]
    local += [(0, 0, 1.18 * s), (0, 0, 1.47 * s), (0, 0.05, 1.62 * s), (0, 0.02, 1.75 * s)]
    local += [*arm(-1, 0.4 * swing), *arm(1, -0.4 * swing)]
    rows = np.array(local)  # right, forward, up
    c, q = math.cos(heading), math.sin(heading)
    return np.stack([x + rows[:, 0] * q + rows[:, 1] * c, rows[:, 2] + bob, z + rows[:, 1] * q - rows[:, 0] * c], 1)


def to_camera(world: np.ndarray) -> np.ndarray:
    """World (y up, z away) to camera axes (y down), camera at CAMERA_HEIGHT and tilted down."""
    x, y, z = world[..., 0], CAMERA_HEIGHT - world[..., 1], world[..., 2]
    c, s = math.cos(TILT), math.sin(TILT)
    return np.stack([x, c * y - s * z, s * y + c * z], -1)


def walkers(
    frames: int = 60,
    *,
    size: tuple[int, int] = (640, 360),
    times: np.ndarray | None = None,
    world: bool = True,
    name: str = "two people walking.mp4",
    source: str = "guess",
) -> Tracks:
    """Person 1 is there throughout with a filled gap, person 2 leaves early and comes back."""
    times = np.arange(frames) / 30 if times is None else times
    start = 0
    camera = Camera.from_focal(size, 0.9 * size[0], source=source)
    rng = np.random.default_rng(0)
    rows: dict[str, list] = {k: [] for k in ("frame", "person", "xyz", "filled", "confidence")}
    span = float(times[-1] - times[0]) or 1.0
    for k, t in enumerate(times - times[0]):
        u = t / span
        bodies = {
            1: person(t, -1.5 + 2.7 * u, 4.2 + 0.5 * math.sin(3 * u), 0.15, 1.78, 0.0),
            2: person(t, 1.5 - 2.4 * u, 5.4 - 0.6 * u, math.pi + 0.2, 1.64, 1.3),
        }
        for who, body in bodies.items():
            if who == 2 and 0.6 < u < 0.75:
                continue
            filled = who == 1 and 0.4 < u < 0.5
            rows["frame"].append(start + k)
            rows["person"].append(who)
            rows["xyz"].append(to_camera(body))
            rows["filled"].append(filled)
            confident = np.clip(0.9 + 0.08 * rng.standard_normal(17), 0, 1)
            confident[BODY17.indices("left_wrist", "left_elbow")] = 0.35 + 0.3 * math.sin(4 * u + who)
            rows["confidence"].append(np.zeros(17) if filled else confident)
    xyz = torch.tensor(np.array(rows["xyz"]), dtype=torch.float32)
    depth = xyz[:, :, 2:]
    c, s = math.cos(TILT), math.sin(TILT)
    gravity = torch.tensor([0, c, s], dtype=torch.float64)
    floor = torch.tensor([0, -c, -s, CAMERA_HEIGHT], dtype=torch.float64)
    return Tracks.of_rows(
        skeleton=BODY17,
        camera=camera,
        frame=torch.tensor(rows["frame"]),
        person=torch.tensor(rows["person"]),
        xyz=xyz,
        xy=camera.project(xyz.double()).float(),
        sigma=(depth * torch.tensor([0.004, 0.004, 0.02])).contiguous(),
        filled=torch.tensor(rows["filled"]),
        confidence=torch.tensor(np.array(rows["confidence"]), dtype=torch.float32),
        frames=torch.arange(start, start + frames),
        times=torch.tensor(times),
        video=name,
        world=World(gravity, floor) if world else None,
    )


def picture(tracks: Tracks, frame: int) -> np.ndarray:
    """A plain street with grey figures, in place of a photograph."""
    width, height = tracks.camera.size
    y = np.linspace(0, 1, height)[:, None, None]
    sky, road = np.array([196, 208, 216.0]), np.array([118, 120, 118.0])
    image = np.where(y < 0.36, sky - 40 * y, road + 50 * (y - 0.36)) * np.ones((1, width, 1))
    image = image.astype(np.uint8)
    for row in torch.nonzero(tracks.frame == frame)[:, 0].tolist():
        xy, scale = tracks.xy[row].numpy(), float(tracks.camera.focal[0] / tracks.xyz[row, 0, 2])
        tone = (70, 74, 92) if int(tracks.person[row]) == 1 else (120, 92, 80)
        for a, b in tracks.skeleton.bones:
            line(image, xy[a], xy[b], tone, radius=0.075 * scale, opacity=1)
        line(image, xy[9], xy[9], (190, 160, 140), radius=0.11 * scale, opacity=1)
    return image


def barcode(image: np.ndarray, k: int) -> np.ndarray:
    """Write k as BITS black and white blocks along the top edge."""
    width = image.shape[1] // BITS
    for bit in range(BITS):
        image[: width // 2, bit * width : (bit + 1) * width] = 255 if k >> bit & 1 else 0
    return image


def film(path: Path, tracks: Tracks, *, coded: bool = True) -> Path:
    """The clip that belongs to the tracks, one frame for each of their frames."""
    with clip_writer(path) as clip:
        for k, (frame, time) in enumerate(zip(tracks.frames.tolist(), tracks.times.tolist(), strict=True)):
            image = picture(tracks, frame)
            clip.write(barcode(image, k) if coded else image, time)
    return path
