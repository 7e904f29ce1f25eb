"""Every reader of outside bytes: how a small sound file of its kind is made, and how it is read to the end."""

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from dyad.bench.lifted import published_joints
from dyad.bench.stored import Stored
from dyad.core.camera import Camera
from dyad.core.decoding import read_image
from dyad.core.errors import DyadError
from dyad.core.flow import Flow
from dyad.core.flow_files import read_flow, read_png16, write_flow
from dyad.core.tracks import Tracks, World
from dyad.core.video import Video
from dyad.datasets.mupots import read_mupots
from dyad.models.checkpoints import Checkpoint
from dyad.models.original import read_original
from dyad.models.smpl_template import VERTICES, load_template
from dyad.models.tflite import read_tflite
from dyad.models.weights import WeightsError
from dyad.models.zoo import make
from dyad.refinement.agreement_model import Model
from dyad.refinement.flow_shelf import FlowShelf, grid_of, kept
from dyad.refinement.stage_files import StageFiles
from dyad.stages.flow import FileFlow
from dyad.stages.lifting_joints import read_joints
from dyad.synthetic.gatherings import Troupe
from dyad.synthetic.motion.acclaim import read_amc
from dyad.synthetic.motion.bvh import read_bvh
from dyad.synthetic.motion.mocap import load_motion
from dyad.training.state import State
from tests.bench.test_stored import store
from tests.estimates.making import truth
from tests.soak.corruption import make_clips
from tests.synthetic.motion.test_acclaim import AMC, ASF
from tests.synthetic.motion.test_bvh import SMALL
from tests.synthetic.motion.test_mocap import stored

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
        kind: of `damage.KINDS`. make: writes sound files into a folder and returns those that will be damaged.
        read: reads the folder, and whatever of it would be read later. errors: what may be raised.
        memory: bytes that a damaged file may cost at most. seconds: of the processor.
        named: whether an error names the file.
    """

    kind: str
    make: Callable[[Path], Path | Iterable[Path]]
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...] = (DyadError,)
    memory: int = 1000 * MEGABYTE
    seconds: float = 10.0
    named: bool = True


def write(path: Path, content: str | bytes | Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def arrays(name: str, **values: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez_compressed(folder / name, **values)
        return folder / name

    return make


def everything(video: Video) -> None:
    for chunk in video.chunks(4):
        chunk.images.sum()
    if len(video.times) != len(video.indices):
        raise AssertionError("times and indices differ in number")
    video[len(video) - 1]


def make_tracks(folder: Path) -> Path:
    world = World(torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, -1.0, 0.0, 1.5]))
    path = folder / "tracks.npz"
    truth(2).with_(world=world, video="some.mp4", cuts=(2,)).save(path)
    return path


def use_tracks(path: Path) -> None:
    tracks = Tracks.load(path)
    tracks.window(0, 3)
    tracks.reproject()
    tracks.save(path.with_name("again.npz"))


def make_flow(name: str, *, several: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        uv = np.random.default_rng(0).normal(size=((3, 7, 9, 2) if several else (7, 9, 2))).astype(np.float32) * 5
        if several:
            np.savez_compressed(folder / name, flow=uv, frames=np.arange(3), occluded=np.zeros((3, 7, 9), bool))
        else:
            write_flow(folder / name, Flow.from_numpy(uv))
        return folder / name

    return make


def use_file_flow(folder: Path) -> None:
    flow = FileFlow.of(folder)
    for where in flow.files.values():
        flow._read(where)


def make_shelf(folder: Path) -> Path:
    size = (70, 50)
    with kept(folder / "some.flows", 3, size) as shelf:
        everywhere = np.ones(grid_of(size), bool)
        shelf.put(0, Flow(torch.randn(2, 50, 70), None, torch.rand(50, 70) < 0.3), everywhere)
        shelf.put(2, Flow(torch.randn(2, 50, 70)), everywhere)
    return folder / "some.flows"


def use_shelf(folder: Path) -> None:
    shelf = FlowShelf.open(folder / "some.flows")
    try:
        for flow in shelf:
            flow.known.sum()
    finally:
        shelf.file.close()


class Some:
    """What `StageFiles` needs of an estimator: a network, and copies."""

    def __init__(self) -> None:
        self.network = torch.nn.Linear(3, 2)

    def copy(self) -> "Some":
        return Some()


def make_stages(folder: Path) -> list[Path]:
    files = StageFiles(folder, "0123456789abcdef" * 4)
    files.keep_tracks("first", truth(2))
    files.keep_estimator("tuned", Some())
    files.keep_seconds("first", 1.5)
    return [path for path in folder.iterdir() if path.suffix in (".safetensors", ".json")]


def use_stages(folder: Path) -> None:
    files = StageFiles(folder, "0123456789abcdef" * 4)
    files.tracks("first")
    files.estimator("tuned", Some())
    files.seconds("first")


def make_checkpoint(folder: Path) -> Path:
    Checkpoint.of(make("coordinate-scale"), "coordinate-scale", source="x").save(folder / "w.safetensors")
    return folder / "w.safetensors"


def make_sized_checkpoint(folder: Path) -> Path:
    """Of a network whose constructor takes sizes."""
    arguments = {"kernels": [3, 3], "channels": 8}
    network = make("videopose3d-27", **arguments)
    Checkpoint.of(network, "videopose3d-27", arguments=arguments).save(folder / "w.safetensors")
    return folder / "w.safetensors"


def make_state(folder: Path) -> Path:
    State(3, 1.0, {"network.w": torch.ones(3, 2)}, {"what": {"a": 1}}, {}, {"loss": 0.5}).save(folder / "s.safetensors")
    return folder / "s.safetensors"


def make_original(folder: Path, *, legacy: bool) -> Path:
    content = {"state_dict": {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}, "epoch": 3}
    torch.save(content, folder / "w.pth", _use_new_zipfile_serialization=not legacy)
    return folder / "w.pth"


def use_original(path: Path) -> None:
    for state in read_original(path):
        sum(len(name) for name in state)


def make_stock(folder: Path) -> Path:
    pose = np.random.default_rng(0).normal(size=(2, 3, 17, 3)).astype(np.float32)
    Troupe([pose, pose[:, :2]], 30.0).save(folder / "stock.npz")
    return folder / "stock.npz"


def make_body(folder: Path) -> list[Path]:
    """SMPL's files in plain forms, of a made-up body."""
    fine, middle, coarse = VERTICES
    np.save(folder / "smpl_template.npy", np.random.default_rng(0).normal(size=(fine, 3)))
    np.save(folder / "J_regressor_h36m_correct.npy", np.eye(17, fine))
    sparse.save_npz(folder / "downsampling_0.npz", sparse.eye(middle, fine).tocsc())
    sparse.save_npz(folder / "downsampling_1.npz", sparse.eye(coarse, middle).tocsc())
    return sorted(folder.glob("*.np[yz]"), key=lambda path: path.name)


def make_acclaim(folder: Path) -> list[Path]:
    return [write(folder / "s.asf", ASF), write(folder / "s.amc", AMC)]


def make_blazepose(folder: Path) -> Path:
    import pytest

    from dyad.models.weights import BLAZEPOSE_DETECTOR, find_blazepose

    found = find_blazepose()
    if found is None:
        pytest.skip("BlazePose's weights are not at hand")
    return write(folder / "w.tflite", (found / BLAZEPOSE_DETECTOR.file).read_bytes())


def use_tflite(path: Path) -> None:
    graph = read_tflite(path)
    for tensor in graph.tensors:
        if tensor.data is not None:
            tensor.dense()


def make_image(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from PIL import Image

        pixels = np.random.default_rng(1).integers(0, 255, (30, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
        return folder / name

    return make


@lru_cache(maxsize=1)
def clips() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        return {path.name: path.read_bytes() for path in make_clips(Path(place))}


def clip(name: str) -> Callable[[Path], Path]:
    return lambda folder: write(folder / name, clips()[name])


def make_agreement(folder: Path) -> Path:
    Model.load().save(folder / "table.json")
    return folder / "table.json"


CAMERA = "size = [640, 480]\nfocal = [600.0, 600.0]\ncentre = [320, 240]\ndistortion = [0.1, 0.0, 0.0, 0.0, 0.0]\n"
JOINTS = {
    "xy": np.random.default_rng(0).uniform(1, 400, (4, 2, 17, 2)),
    "confidence": np.ones((4, 2, 17)),
    "K": np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]),
    "image_size": np.array([640, 480]),
}
VIDEO_LIMITS = {"memory": 2000 * MEGABYTE, "seconds": 30.0}

READERS: dict[str, Reader] = {
    **{
        f"video {name}": Reader("bytes", clip(name), lambda f, name=name: everything(Video(f / name)), **VIDEO_LIMITS)
        for name in ("tail.mp4", "head.mp4", "clip.mkv", "clip.avi", "clip.webm")
    },
    **{
        f"image {name}": Reader(kind, make_image(name), lambda f, name=name: read_image(f / name), **VIDEO_LIMITS)
        for name, kind in (
            ("a.png", "png"),
            ("a.jpg", "bytes"),
            ("a.ppm", "text"),
            ("a.gif", "bytes"),
            ("a.tif", "bytes"),
        )
    },
    "folder of images": Reader("png", make_image("1.png"), lambda f: everything(Video(f)), **VIDEO_LIMITS),
    "camera": Reader("text", lambda f: write(f / "c.toml", CAMERA), lambda f: Camera.from_file(f / "c.toml").to_json()),
    "tracks": Reader("npz", make_tracks, lambda f: use_tracks(f / "tracks.npz")),
    "joints": Reader("npz", arrays("j.npz", **JOINTS), lambda f: read_joints(f / "j.npz")),
    "flow flo": Reader("bytes", make_flow("a.flo"), lambda f: read_flow(f / "a.flo")),
    "flow png": Reader("png", make_flow("a.png"), lambda f: read_flow(f / "a.png"), memory=3500 * MEGABYTE, seconds=30),
    "flow png16": Reader(
        "png", make_flow("a.png"), lambda f: read_png16(f / "a.png"), memory=3000 * MEGABYTE, seconds=30
    ),
    "flow pfm": Reader("text", make_flow("a.pfm"), lambda f: read_flow(f / "a.pfm")),
    "flow npz": Reader("npz", make_flow("a.npz"), lambda f: read_flow(f / "a.npz")),
    "flow of many": Reader("npz", make_flow("flow.npz", several=True), use_file_flow),
    "flow shelf": Reader("bytes", make_shelf, use_shelf),
    "stage files": Reader("safetensors", make_stages, use_stages),
    "agreement": Reader("json", make_agreement, lambda f: Model.load(f / "table.json")),
    "bvh": Reader("text", lambda f: write(f / "c.bvh", SMALL), lambda f: read_bvh(f / "c.bvh").positions()),
    "amc": Reader("text", make_acclaim, lambda f: read_amc(f / "s.asf", f / "s.amc").positions()),
    "motion": Reader("npz", stored, lambda f: load_motion(f / "clip.npz").positions()),
    "stock of motions": Reader("npz", make_stock, lambda f: Troupe.load(f / "stock.npz")),
    "mupots": Reader("npz", lambda f: store(f, clip=False), lambda f: read_mupots(f / "TS01.npz")),
    "stored poses": Reader("npz", lambda f: store(f, clip=False), lambda f: use_stored(f / "TS01.npz")),
    "published joints": Reader("npz", lambda f: store(f, clip=False), lambda f: published_joints(f / "TS01.npz")),
    "checkpoint": Reader(
        "safetensors", make_checkpoint, lambda f: Checkpoint.load(f / "w.safetensors").build(), (WeightsError,)
    ),
    "sized checkpoint": Reader(
        "safetensors", make_sized_checkpoint, lambda f: Checkpoint.load(f / "w.safetensors").build(), (WeightsError,)
    ),
    "training state": Reader("safetensors", make_state, lambda f: State.load(f / "s.safetensors")),
    "original zip": Reader(
        "pickle",
        lambda f: make_original(f, legacy=False),
        lambda f: use_original(f / "w.pth"),
        (WeightsError,),
        named=False,
    ),
    "original legacy": Reader(
        "pickle",
        lambda f: make_original(f, legacy=True),
        lambda f: use_original(f / "w.pth"),
        (WeightsError,),
        named=False,
    ),
    "smpl template": Reader("npz", make_body, load_template, (WeightsError,), seconds=30.0),
    "tflite": Reader("bytes", make_blazepose, lambda f: use_tflite(f / "w.tflite"), (ValueError,), named=False),
}


def use_stored(path: Path) -> None:
    found = Stored(path)
    for name in found.arrays:
        found.tracks(name)
