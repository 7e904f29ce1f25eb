"""Draw the pictures of docs/concepts.md into docs/images: `python tools/docs/pictures.py`.

The people are those of `dyad demo`, put into the image, into space and through the agreement score by Dyad's own code.
Pillow is needed; it comes with the extra `test`.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from svg import FAINT, INK, Drawing

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Flag, Tracks
from dyad.refinement.agreement import Agreement
from dyad.synthetic.annotation import everyone
from dyad.synthetic.demo import demo_scene
from dyad.synthetic.scenes import Scene
from dyad.viewer.palette import COLOURS, hexadecimal, shade, side_of

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
ORANGE, BLUE, GREEN, PURPLE = (hexadecimal(colour) for colour in COLOURS[:4])
RED = hexadecimal(COLOURS[5])
FRAME = 20

Place = Callable[[NDArray], NDArray]


@cache
def scene() -> Scene:
    return demo_scene(16, size=(960, 540), seconds=4, fps=10, people=4)


@cache
def clip() -> Clip:
    return scene().clip()


@cache
def people() -> NDArray:
    """Joints (P, J, 3) m of everyone in one frame, in the camera frame."""
    return scene().path.to_camera(everyone(scene(), BODY17)[:, FRAME], FRAME)


def person_at(person: int, depth: float, aside: float = 0.0, *, turn: float = 0.0) -> NDArray:
    """A person (J, 3), turned about the vertical, in a level camera 1.5 m above the floor."""
    body = everyone(scene(), BODY17)[person, FRAME] * (1, -1, -1)
    body = body - body[BODY17.index("pelvis")] * (1, 0, 1)
    cos, sin = np.cos(turn), np.sin(turn)
    body = body @ np.array(((cos, 0, sin), (0, 1, 0), (-sin, 0, cos))).T
    return np.add(body, (aside, 1.5, depth))


def skeleton(drawing: Drawing, xyz: NDArray, place: Place, rank: int, *, width: float = 3.0) -> None:
    at = place(xyz)
    for child, parent in BODY17.bones:
        colour = hexadecimal(shade(COLOURS[rank], side_of(BODY17.names[child])))
        drawing.line((at[parent], at[child]), colour=colour, width=width)


@dataclass(frozen=True)
class Onlooker:
    """A second camera that looks from one point at another: how space is put on paper."""

    camera: Camera
    position: NDArray
    goal: NDArray
    shift: tuple[float, float] = (0, 0)

    def __call__(self, xyz: NDArray) -> NDArray:
        ahead = self.goal - self.position
        ahead = ahead / np.linalg.norm(ahead)
        right = np.cross((0.0, 1.0, 0.0), ahead)
        right /= np.linalg.norm(right)
        axes = np.stack((right, np.cross(ahead, right), ahead))
        seen = torch.from_numpy((np.asarray(xyz, float) - self.position) @ axes.T)
        return self.camera.project(seen).numpy() + self.shift


def camera_frame() -> Drawing:
    drawing = Drawing(720, 380, "The camera frame: x to the right, y down, z forward, in metres")
    view = Onlooker(Camera.from_fov((720, 380), 50), np.array((-4.6, -2.0, -1.4)), np.array((0.35, 0.3, 1.85)))
    body, origin = person_at(0, 4.0, 0.25), np.zeros(3)
    ground = np.array([(x, 1.5, z) for x, z in ((-1.3, -0.6), (1.6, -0.6), (1.6, 5.2), (-1.3, 5.2))])
    drawing.area(view(ground), fill="#eef1f4")
    width, height, depth = 0.72, 0.5, 1.7
    corners = np.array(
        [(-width, -height, depth), (width, -height, depth), (width, height, depth), (-width, height, depth)]
    )
    for corner in corners:
        drawing.line(view(np.stack((origin, corner))), colour=FAINT, width=1)
    for joint in ("head_top", "left_wrist", "right_ankle"):
        drawing.line(view(np.stack((origin, body[BODY17.index(joint)]))), colour=PURPLE, width=1, dash="4 4")
    drawing.area(view(corners), fill="#ffffff", opacity=0.75)
    drawing.line(view(corners[[0, 1, 2, 3, 0]]), colour=INK, width=1.5)
    skeleton(drawing, body, view, 0, width=5)
    skeleton(drawing, body * depth / body[:, 2:], view, 0, width=2.5)
    for axis, colour, words in (((0.9, 0, 0), RED, "x"), ((0, 0.9, 0), GREEN, "y"), ((0, 0, 1.2), BLUE, "z")):
        start, end = view(np.stack((origin, np.array(axis))))
        drawing.arrow(start, end, colour=colour, width=3)
        drawing.text(end + ((-4, 20) if words == "z" else (8, 5)), words, size=17, colour=colour)
    drawing.dot(view(origin[None])[0], 5)
    drawing.text(view(origin[None])[0] + (14, 22), "camera (0, 0, 0)")
    drawing.text(view(corners[:1])[0] + (0, -8), "image, in pixels", anchor="end")
    pelvis = body[BODY17.index("pelvis")]
    words = f"pelvis at ({pelvis[0]:.2f}, {pelvis[1]:.2f}, {pelvis[2]:.2f}) m"
    drawing.text(view(body[BODY17.index("head_top")][None])[0] + (0, -14), words, anchor="middle")
    drawing.text((18, 362), "x to the right of the image, y down, z forward along the view", colour="#555555")
    return drawing


def root_or_camera() -> Drawing:
    drawing = Drawing(860, 330, "Root-relative poses say nothing of where people are; camera poses do")
    pair, ranks = people()[[1, 3]], (0, 1)
    camera = scene().path.camera
    titles = ("in the image", "root-relative", "in the camera frame, from the side")
    for x, words in zip((20, 300, 470), titles, strict=True):
        drawing.text((x, 26), words, size=14)
    scale = 260 / camera.size[0]
    drawing.line([(20, 60), (280, 60), (280, 206), (20, 206), (20, 60)], colour=FAINT, width=1)
    for body, rank in zip(pair, ranks, strict=True):
        pixels = camera.project(torch.from_numpy(body)).numpy() * scale + (20, 60)
        skeleton(drawing, body, lambda _, pixels=pixels: pixels, rank, width=2.5)
        relative = body - body[BODY17.index("pelvis")]
        skeleton(drawing, relative, lambda xyz: xyz[:, :2] * 105 + (375, 160), rank)
        skeleton(drawing, body, lambda xyz: xyz[:, [2, 1]] * 44 + (490, 150), rank, width=2.5)
        z = float(body[BODY17.index("pelvis"), 2])
        drawing.text((490 + 44 * z, 258), f"{z:.1f} m", anchor="middle")
    drawing.dot((375, 160), 4)
    floor = scene().path.floor(FRAME)
    ends = [(490 + 44 * z, 150 - 44 * (floor[2] * z + floor[3]) / floor[1]) for z in (1.5, 8)]
    drawing.line(ends, colour=FAINT, width=1)
    drawing.area([(478, 142), (494, 150), (478, 158)], fill=INK)
    for z in range(1, 9):
        drawing.line([(490 + 44 * z, 268), (490 + 44 * z, 273)], colour=FAINT, width=1)
    drawing.arrow((490, 268), (852, 268), colour=FAINT, width=1)
    drawing.text((852, 287), "z", anchor="end")
    for x, words in (
        (20, "The farther one is smaller."),
        (300, "Everyone's pelvis"),
        (470, "Two people, two places: who stands"),
    ):
        drawing.text((x, 308), words, colour="#555555")
    drawing.text((300, 324), "is at (0, 0, 0).", colour="#555555")
    drawing.text((470, 324), "before whom, and how far apart, in metres.", colour="#555555")
    return drawing


def height_and_depth() -> Drawing:
    drawing = Drawing(760, 330, "One image fits a tall person far away and a short one nearby")
    unit, eye = 130.0, np.array((60.0, 120.0))

    def side(xyz: NDArray) -> NDArray:
        return xyz[:, [2, 1]] * unit + eye

    tall = person_at(3, 4.6)
    short = tall * 0.62
    drawing.line([(60, 120 + 1.5 * unit), (740, 120 + 1.5 * unit)], colour=INK, width=1.5)
    drawing.text((740, 138 + 1.5 * unit), "floor", anchor="end", colour="#555555")
    for joint in ("head_top", "right_ankle", "left_ankle"):
        end = tall[BODY17.index(joint)] * 1.05
        drawing.line(side(np.stack((np.zeros(3), end))), colour=FAINT, width=1, dash="4 4")
    skeleton(drawing, short, side, 1, width=3.5)
    skeleton(drawing, tall, side, 0, width=4)
    drawing.area([np.add(eye, (-16, -9)), eye, np.add(eye, (-16, 9))], fill=INK)
    drawing.text(np.add(eye, (-18, -16)), "camera")
    # The crown lies 4.5 cm above the joint.
    stature = 1.5 - float(tall[BODY17.index("head_top"), 1]) + 0.045
    for body, share in ((short, 0.62), (tall, 1.0)):
        words = f"{stature * share:.2f} m tall at {4.6 * share:.1f} m"
        drawing.text(side(body[BODY17.index("head_top")][None])[0] + (0, -16), words, anchor="middle")
    foot = side(short[BODY17.index("left_ankle")][None])[0]
    drawing.arrow((foot[0], 120 + 1.5 * unit - 2), (foot[0], foot[1] + 14), colour=RED, width=1.5)
    drawing.text((foot[0] + 8, 120 + 1.5 * unit - 14), "floats", colour=RED)
    drawing.text(
        (18, 26), "Both bodies give the same pixels:  height in pixels = focal length × stature / depth", size=14
    )
    return drawing


def occlusion() -> Drawing:
    truth = clip().truth
    width, height = 720, 405
    hidden = (truth.confidence > 0) & (truth.confidence < 0.5)
    # The one behind the others, in the frame in which most of that body, but not all, is hidden.
    rows = [k for k in truth.rows(3).tolist() if int(hidden[k].sum()) <= 12]
    row = max(rows, key=lambda k: int(hidden[k].sum()))
    frame = int(truth.frame[row])
    drawing = Drawing(width, height + 44, "What is hidden is still known, with less confidence")
    drawing.image(_smaller(scene().photographed(scene().render(frame), frame), 0.75), (0, 0, width, height))
    for k in torch.nonzero(truth.frame == frame).flatten().tolist():
        xy, rank = truth.xy[k].numpy() * 0.75, int(truth.person[k])
        for child, parent in BODY17.bones:
            faint = bool(hidden[k, [child, parent]].any())
            drawing.line(
                (xy[parent], xy[child]),
                colour=hexadecimal(COLOURS[rank]),
                width=1.5 if faint else 3,
                dash="3 4" if faint else "",
            )
        for joint in range(len(BODY17)):
            fill = "none" if hidden[k, joint] else hexadecimal(COLOURS[rank])
            drawing.dot(xy[joint], 3, fill=fill, edge="#ffffff" if hidden[k, joint] else "none")
    count = int(hidden[row].sum())
    words = (
        f"The person at the back: {count} of 17 joints are hidden (rings, dashed). A result has a place for them, too:"
    )
    drawing.text((14, height + 19), words, size=12.5)
    drawing.text(
        (14, height + 36),
        "there its confidence is low and its sigma large. (Drawn from the truth of a rendered clip.)",
        size=12.5,
    )
    return drawing


def agreement() -> Drawing:
    truth, flows = clip().truth, clip().flow
    person, middle = 1, 6
    knees = BODY17.indices("left_knee", "right_knee", "left_ankle", "right_ankle")
    order = list(range(len(BODY17)))
    for left, right in (knees[:2], knees[2:]):
        order[left], order[right] = right, left
    row = next(k for k in truth.rows(person).tolist() if int(truth.frame[k]) == middle)
    wrong_xy, wrong_xyz = truth.xy.clone(), truth.xyz.clone()
    wrong_xy[row], wrong_xyz[row] = truth.xy[row][order], truth.xyz[row][order]
    judge = Agreement()
    drawing = Drawing(740, 456, "Joints that move with the pixels around them agree with the optical flow")
    image = scene().photographed(scene().render(middle), middle)
    x0, y0, x1, y1 = (int(v) for v in truth.box[row].tolist())
    x0, y0, x1 = (x0 + x1) // 2 - 95, y1 - 175, (x0 + x1) // 2 + 95
    zoom = 350 / (x1 - x0)
    flow = flows[middle].uv.numpy()
    mask = clip().masks[middle].numpy() == person + 1
    cases = (("legs as they are", truth), ("legs exchanged in this one frame", truth.with_(xy=wrong_xy, xyz=wrong_xyz)))
    for column, (words, tracks) in enumerate(cases):
        left = 13 + column * 364
        side = int(350 / zoom)
        drawing.image(image[y0 : y0 + side, x0:x1], (left, 34, 350, 350))

        def place(xy: NDArray, left: int = left) -> NDArray:
            return (np.asarray(xy) - (x0, y0)) * zoom + (left, 34)

        for y in range(y0 + 6, y0 + side - 4, 9):
            for x in range(x0 + 6, x1 - 4, 9):
                if mask[y, x]:
                    drawing.arrow(place((x, y)), place((x, y) + flow[:, y, x]), colour="#ffffff", width=1)
        judged = judge(tracks, flows)
        _joint_motion(drawing, tracks, judged, row, place, knees)
        drawing.text((left, 24), words, size=14)
        flags = [flag.meaning for flag in Flag if int(judged.flags[row]) & flag]
        drawing.text((left, 402), f"flag: {flags[0].partition(',')[0] if flags else 'none'}")
    words = (
        "White: the optical flow from this frame to the next. Coloured: where the pose says that knees and ankles go;"
    )
    drawing.text((13, 427), words, size=12.5, colour="#555555")
    words = "red where the flow tells that sides are exchanged. The flags are those that Dyad sets for these two poses."
    drawing.text((13, 444), words, size=12.5, colour="#555555")
    return drawing


def _joint_motion(drawing: Drawing, tracks: Tracks, judged: Tracks, row: int, place: Place, joints: list[int]) -> None:
    for joint in joints:
        good = not int(judged.flags[row]) & Flag.SWAPPED_SIDES
        start, end = (place(tracks.xy[k, joint].numpy()) for k in (row, row + 1))
        drawing.dot(start, 5, fill=GREEN if good else RED, edge="#ffffff")
        drawing.arrow(start, end, colour=GREEN if good else RED, width=3)


def _smaller(image: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = image.shape[:2]
    return np.asarray(
        Image.fromarray(image).resize((round(width * share), round(height * share)), Image.Resampling.LANCZOS)
    )


PICTURES: dict[str, Callable[[], Drawing]] = {
    "camera-frame": camera_frame,
    "root-or-camera": root_or_camera,
    "height-and-depth": height_and_depth,
    "occlusion": occlusion,
    "flow-and-pose": agreement,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of the documentation.")
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(PICTURES)}; all if none")
    parser.add_argument("-o", "--output", type=Path, default=IMAGES)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.names or PICTURES:
        PICTURES[name]().save(options.output / f"{name}.svg")


if __name__ == "__main__":
    main()
