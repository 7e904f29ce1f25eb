"""Folders of rendered clips with their whole truth, for training and for judging: what `dyad synth` writes."""

import json
import os
import shutil
import signal
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad import __version__
from dyad.core.errors import BadInput, BadUsage
from dyad.core.files import whole_file, writing_to
from dyad.core.flow import Flow, Lazy
from dyad.core.flow_files import write_flow
from dyad.core.skeleton import BODY17, COCO17
from dyad.core.tracks import Tracks
from dyad.export.coco import coco_of_tracks, write_coco
from dyad.export.masks import write_mask
from dyad.export.video import clip_writer
from dyad.pipeline import Progress
from dyad.synthetic.annotation import annotated, annotated_frame, everyone
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.rendering.render import Rendering
from dyad.synthetic.scenes import Scene
from dyad.workfolder import ready_folder

SCHEMA = "dyad-synth/1"
VIDEO_QUALITY = 12
"""x264's constant rate factor: hardly anything of the lens's grain is lost."""
CONTENTS = {
    "video.mp4": "what the camera saw",
    "tracks.npz": "the truth in body17: 3D in m in the camera frame, 2D, visibility (1 seen, 0.25 hidden, 0 outside)",
    "annotations.json": "COCO keypoints (coco17) with masks, an image for each frame of the video",
    "camera.toml": "the camera, for `dyad run --camera`",
    "flow/NNNNNN.flo": "optical flow in px from frame N to N + 1, for every pixel",
    "flow/NNNNNN.png": "255 where frame N + 1 does not show the pixel, 0 elsewhere",
    "masks/NNNNNN.png": "p + 1 where person p of tracks.npz is seen in frame N, 0 elsewhere",
}
_PLAN = "dataset.json"


@dataclass(frozen=True)
class Plan:
    """What a folder's clips are made by: clip i is a function of `recipe`, of `seed` and of i alone.

    `flow`, `masks`: whether these, the bulk of a clip's bytes, are written.
    """

    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    flow: bool = True
    masks: bool = True

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BadUsage(f"a seed is a whole number of 0 or above, got {self.seed}")
        if any(side % 2 for side in self.recipe.size):
            width, height = self.recipe.size
            raise BadUsage(f"the sides of a video are even, got {width}x{height}")

    def scene(self, number: int, *, threads: int = 1) -> Scene:
        """What clip `number` shows."""
        scene = self.recipe((self.seed, number))
        return scene.with_(threads=threads, name=clip_name(number))

    def files(self) -> list[str]:
        """Names of what a finished clip holds, below its folder."""
        frames = self.recipe.frames
        names = ["video.mp4", "tracks.npz", "annotations.json", "camera.toml"]
        if self.flow:
            names += [f"flow/{frame:06d}{suffix}" for frame in range(frames - 1) for suffix in (".flo", ".png")]
        return names + ([f"masks/{frame:06d}.png" for frame in range(frames)] if self.masks else [])

    def to_json(self) -> dict[str, Any]:
        """Everything on which a byte of the truth depends."""
        # How many draw is no part of what is drawn.
        recipe = {name: value for name, value in asdict(self.recipe).items() if name != "threads"}
        plan = {"dyad": __version__, "seed": self.seed, "flow": self.flow, "masks": self.masks, "recipe": recipe}
        return json.loads(json.dumps(plan, default=str))


def clip_name(number: int) -> str:
    return f"clip_{number:05d}"


def synth(
    count: int,
    output: str | PathLike[str],
    plan: Plan | None = None,
    *,
    workers: int | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Path:
    """Write clips 0 to `count` - 1 of a plan to folders below `output`; `dataset.json` there says what was made.

    Clips that are there already are kept, unfinished ones made anew: an interrupted call is taken up by repeating it,
    and a larger `count` adds clips. `workers` is the number of processes, one a core if None; no truth depends on it.

    Args:
        command: how the folder was asked for, for `dataset.json`.
        progress: told how many clips there are.

    Raises:
        BadUsage: no clips are asked for, or `output` holds those of another plan. BadInput: it cannot be written to.
    """
    plan = plan or Plan()
    if count < 1:
        raise BadUsage(f"there should be a clip at least, got {count}")
    if workers is not None and workers < 1:
        raise BadUsage(f"--workers takes a number of 1 or more, got {workers}")
    folder = ready_folder(output)
    told = _Account(folder, plan, command)
    told.check()
    with writing_to(folder):
        told.write(count)
        missing = [number for number in range(count) if not _is_whole(folder / clip_name(number), plan)]
        _sweep(folder)
        done = count - len(missing)
        if progress is not None:
            progress("clips", done, count)
        try:
            for _ in _made(folder, plan, missing, workers):
                done += 1
                if progress is not None:
                    progress("clips", done, count)
        finally:
            _sweep(folder)
        told.write(count)
    return folder


def make_clip(folder: str | PathLike[str], plan: Plan, number: int, *, threads: int = 1) -> Path:
    """Write one clip of a plan below `folder`; it appears whole or not at all, in place of what was there."""
    final = Path(folder) / clip_name(number)
    partial = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=folder))
    try:
        write_scene(plan.scene(number, threads=threads), partial, flow=plan.flow, masks=plan.masks)
        partial.chmod(0o777 & ~_umask())
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def write_scene(scene: Scene, folder: Path, *, flow: bool = True, masks: bool = True) -> None:
    """Write a scene's video and its truth, see `CONTENTS`, to a folder. Every frame is drawn once."""
    people = _KeypointsAndMasks(scene)
    times = scene.times.tolist()
    with clip_writer(folder / "video.mp4", quality=VIDEO_QUALITY) as writer:

        def write(frame: int, drawn: Rendering) -> None:
            writer.write(scene.photographed(drawn, frame), times[frame])
            mask = people.add(frame, drawn)
            if masks:
                write_mask(folder / "masks" / f"{frame:06d}.png", mask)
            if flow and frame + 1 < scene.frames:
                _write_flow(folder / "flow", frame, drawn)

        annotated(scene, BODY17, write).save(folder / "tracks.npz")
    write_coco(
        folder / "annotations.json",
        coco_of_tracks(people.tracks(), masks=people.masks, file_name=f"{scene.name}/{{frame:06d}}.png"),
    )
    camera = scene.path.camera
    lines = {"size": list(camera.size), "focal": camera.focal.tolist(), "centre": camera.centre.tolist()}
    (folder / "camera.toml").write_text("".join(f"{key} = {value}\n" for key, value in lines.items()), encoding="utf-8")


def _write_flow(folder: Path, frame: int, drawn: Rendering) -> None:
    if drawn.flow is None or drawn.occluded is None:
        # Nothing moves, not even the camera.
        drawn_flow, hidden = np.zeros((*drawn.identity.shape, 2), np.float32), np.zeros(drawn.identity.shape, bool)
    else:
        drawn_flow, hidden = drawn.flow, drawn.occluded
    write_flow(folder / f"{frame:06d}.flo", Flow.from_numpy(drawn_flow))
    write_mask(folder / f"{frame:06d}.png", np.where(hidden, 255, 0).astype(np.uint8))


class _KeypointsAndMasks:
    """COCO's joints and everyone's pixels, gathered while a scene is drawn once for all that is written about it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._joints = everyone(scene, COCO17)
        self._rows: dict[str, list[NDArray]] = {name: [] for name in ("frame", "person", "xy", "confidence", "box")}
        # Packed, for a long clip's masks fill the memory.
        self._packed: list[bytes] = []
        self.masks = Lazy(scene.frames, self._mask)

    def add(self, frame: int, drawn: Rendering) -> NDArray[np.uint8]:
        """Take in a frame as it is drawn; its mask (H, W)."""
        people = annotated_frame(self._scene, drawn, self._joints[:, frame], frame, COCO17)
        present = np.flatnonzero(people["present"])
        for name, value in ((name, people[name][present]) for name in ("xy", "confidence", "box")):
            self._rows[name].append(value)
        self._rows["frame"].append(np.full(len(present), frame))
        self._rows["person"].append(present)
        mask = np.where(drawn.identity <= len(self._scene.actors), drawn.identity, 0).astype(np.uint8)
        self._packed.append(zlib.compress(mask.tobytes(), 1))
        return mask

    def tracks(self) -> Tracks:
        """Everyone's joints in the image, in `COCO17`."""
        rows = {name: torch.from_numpy(np.concatenate(values)) for name, values in self._rows.items()}
        return Tracks.of_rows(
            skeleton=COCO17,
            camera=self._scene.path.camera,
            frames=torch.arange(self._scene.frames),
            times=torch.from_numpy(self._scene.times),
            fps=self._scene.fps,
            video=self._scene.name,
            **{name: value.float() if value.is_floating_point() else value for name, value in rows.items()},
        )

    def _mask(self, frame: int) -> torch.Tensor:
        width, height = self._scene.size
        flat = np.frombuffer(zlib.decompress(self._packed[frame]), np.uint8)
        return torch.from_numpy(flat.reshape(height, width).copy())


@dataclass(frozen=True)
class _Account:
    """`dataset.json`: what a folder's clips are made by, and which there are."""

    folder: Path
    plan: Plan
    command: str

    def check(self) -> None:
        """BadUsage where the folder holds what another plan made: one data set is of one making."""
        path = self.folder / _PLAN
        if not path.exists():
            if any(self.folder.glob("clip_*")):
                raise BadUsage(
                    f"{self.folder} holds clips but no {_PLAN}, so it was not made by `dyad synth`; choose another "
                    "folder with -o"
                )
            return
        try:
            was = _flat(json.loads(path.read_text(encoding="utf-8"))["plan"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"{path} is no account of `dyad synth`; remove it or choose another folder with -o"
            ) from error
        for name, value in _flat(self.plan.to_json()).items():
            if was.get(name) != value:
                raise BadUsage(
                    f"{self.folder} holds clips made with another {name}, {_shown(was.get(name))} and not "
                    f"{_shown(value)}; ask for the same or choose another folder with -o"
                )

    def write(self, count: int) -> None:
        clips = []
        for number in range(count):
            path = self.folder / clip_name(number)
            if _is_whole(path, self.plan):
                truth = Tracks.load(path)
                facts = {"frames": len(truth.frames), "people": len(truth.people), "person_frames": len(truth)}
                clips.append({"name": clip_name(number), "seed": [self.plan.seed, number], **facts})
        wanted = {"flow": self.plan.flow, "masks": self.plan.masks}
        contents = {name: text for name, text in CONTENTS.items() if wanted.get(name.split("/")[0], True)}
        account = {
            "schema": SCHEMA,
            "command": self.command,
            "plan": self.plan.to_json(),
            "files": contents,
            "wanted": count,
            "clips": clips,
        }
        with whole_file(self.folder / _PLAN) as partial:
            partial.write_text(json.dumps(account, indent=1) + "\n", encoding="utf-8")


def _flat(plan: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plan.items() if name != "recipe"} | {**plan["recipe"]}


def _shown(value: Any) -> str:
    return "none" if value is None else " to ".join(map(str, value)) if isinstance(value, list) else str(value)


def _made(folder: Path, plan: Plan, numbers: list[int], workers: int | None) -> Iterator[int]:
    """Make clips, each number once it is done."""
    cores = os.cpu_count() or 1
    workers = min(workers or cores, len(numbers))
    threads = max(1, cores // max(workers, 1))
    if workers <= 1:
        for number in numbers:
            make_clip(folder, plan, number, threads=threads)
            yield number
        return
    # A process that forks while other threads run may hang.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker)
    try:
        tasks: dict[Future, int] = {pool.submit(make_clip, folder, plan, n, threads=threads): n for n in numbers}
        while tasks:
            finished, _ = wait(tasks, return_when=FIRST_COMPLETED)
            for task in finished:
                task.result()
                yield tasks.pop(task)
    except BrokenProcessPool as error:
        raise BadInput(
            f"one of {workers} processes that draw came to a sudden end, as happens for want of memory; repeat the "
            "command with fewer --workers to go on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    torch.set_num_threads(1)
    # Ctrl-C reaches every process; the first one says what there is to say.
    signal.signal(signal.SIGINT, lambda *_: os._exit(1))


def _sweep(folder: Path) -> None:
    """Remove what was begun and not finished."""
    for left in folder.glob(".clip_*"):
        shutil.rmtree(left, ignore_errors=True)


def _is_whole(path: Path, plan: Plan) -> bool:
    return all((path / name).is_file() for name in plan.files())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
