"""Readers of data sets and of other tools' results, each with a tiny tree in the real layout."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dyad.datasets import read_dataset
from dyad.datasets.coco import find_coco, read_coco
from dyad.datasets.ochuman import ochuman_split
from dyad.datasets.safe_pickle import read_object_npz, read_pickle
from dyad.datasets.threedpw import read_3dpw_detections
from dyad.estimates.reading import read_people
from tests.datasets import test_coco as coco
from tests.datasets import test_crowdpose as crowdpose
from tests.datasets import test_flow_sets as flow_sets
from tests.datasets import test_human36m as human36m
from tests.datasets import test_jta as jta
from tests.datasets import test_mpi_inf_3dhp as mpi
from tests.datasets import test_muco as muco
from tests.datasets import test_mupots_official as mupots
from tests.datasets import test_ochuman as ochuman
from tests.datasets import test_panoptic as panoptic
from tests.datasets import test_posetrack as posetrack
from tests.datasets import test_threedpw as threedpw
from tests.estimates import test_damage as estimates
from tests.estimates.making import CAMERA
from tests.fuzz.readers import MEGABYTE, Reader, write


def clips(name: str, **options: object) -> Callable[[Path], None]:
    """Reads every clip of a data set, and what of it comes later."""

    def read(folder: Path) -> None:
        for clip in read_dataset(name, folder, **options):
            if clip.flow is not None:
                for flow in clip.flow:
                    flow.known.sum()
            if clip.video is not None:
                clip.video[0].sum()

    return read


def below(folder: Path, *patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in folder.rglob(pattern))


def make_mupots(folder: Path) -> list[Path]:
    mupots.write(folder)
    return below(folder, "*.mat")


def make_mpi(folder: Path) -> list[Path]:
    mpi.train(folder)
    return below(folder, "annot.mat", "*.calibration")


def make_hdf5(folder: Path) -> list[Path]:
    mpi.hdf5(folder, "TS1")
    return below(folder, "*.mat")


def make_human36m(folder: Path) -> list[Path]:
    human36m.write(folder, actions=("Walking",), subjects=("S9",))
    return below(folder, "*.npz")


def make_raw(folder: Path, suffix: str) -> list[Path]:
    human36m.write_raw(folder, suffix, human36m.metadata(folder), subjects=("S9",))
    return [p for p in below(folder, f"*{suffix}") if p.name.startswith("Directions")] + [folder / "metadata.xml"]


def make_sintel(folder: Path) -> list[Path]:
    for t in (1, 2):
        flow_sets.image(folder / "training/final/alley_1" / f"frame_{t:04}.png", 10 * t)
        for kind in ("occlusions", "invalid"):
            flow_sets.image(folder / "training" / kind / "alley_1" / f"frame_{t:04}.png", 0)
    flow_sets.flow(folder / "training/flow/alley_1/frame_0001.flo", 2.0)
    return below(folder, "*.png", "*.flo")


def make_chairs(folder: Path) -> list[Path]:
    for number in (1, 2):
        flow_sets.image(folder / "data" / f"00001_img{number}.ppm", 10 * number)
    flow_sets.flow(folder / "data/00001_flow.flo", 2.0)
    return [write(folder / "FlyingChairs_train_val.txt", "1\n"), *below(folder, "*.flo")]


def make_kitti(folder: Path) -> list[Path]:
    for number in (10, 11):
        flow_sets.image(folder / "training/image_2" / f"000000_{number}.png", number)
    for kind in ("flow_occ", "flow_noc"):
        flow_sets.flow(folder / "training" / kind / "000000_10.png", 2.0)
    return below(folder, "*.png")


def make_pickle(folder: Path) -> Path:
    return threedpw.write(folder, threedpw.sequence(frames=3)[0])


def make_object_npz(folder: Path) -> Path:
    np.savez(folder / "x.npz", table={"S1": {"a": np.ones((3, 2))}, "n": 3})
    return folder / "x.npz"


def make_coco(folder: Path) -> Path:
    flow_sets.image(folder / "a.jpg", 3, (100, 90))
    return coco.write(folder, [coco.annotation()])


def json_at(name: str, value: object) -> Callable[[Path], Path]:
    return lambda folder: write(folder / name, json.dumps(value))


def people(path: Path, **options: str) -> None:
    read_people(path, camera=CAMERA, **options)


def make_arrays(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "x.npz", **estimates.arrays()[name])
        return folder / "x.npz"

    return make


def make_npy(folder: Path) -> Path:
    np.save(folder / "x.npy", estimates.arrays()["dcpose"]["detections"])
    return folder / "x.npy"


READERS: dict[str, Reader] = {
    "mupots mat": Reader("bytes", make_mupots, clips("mupots")),
    "mpi mat": Reader("bytes", make_mpi, clips("mpi-inf-3dhp", split="train")),
    "mpi hdf5": Reader("bytes", make_hdf5, clips("mpi-inf-3dhp", split="test")),
    "human36m": Reader("npz", make_human36m, clips("human36m")),
    "human36m cdf": Reader("bytes", lambda f: make_raw(f, ".cdf"), clips("human36m", split="test")),
    "human36m cdf.mat": Reader("bytes", lambda f: make_raw(f, ".cdf.mat"), clips("human36m", split="test")),
    "jta": Reader("json", lambda f: jta.write(f, jta.rows(2)[0]), clips("jta")),
    "muco": Reader("json", lambda f: write(f / "MuCo-3DHP.json", muco.content()[0]), clips("muco")),
    "panoptic": Reader("json", lambda f: [panoptic.write(f), below(f, "*.json")][1], clips("panoptic")),
    "posetrack": Reader("json", lambda f: posetrack.write(f, posetrack.content(posetrack.TWO)), clips("posetrack18")),
    "coco": Reader("json", lambda f: coco.write(f, [coco.annotation()]), lambda f: use_coco(f / "x.json")),
    "coco folder": Reader("json", make_coco, lambda f: list(find_coco(f))),
    "crowdpose": Reader("json", crowdpose.write, clips("crowdpose")),
    "ochuman": Reader(
        "json", lambda f: ochuman.write(f, [ochuman.annotation()]), lambda f: list(ochuman_split(f, "all").clips())
    ),
    "3dpw": Reader("pickle", make_pickle, clips("3dpw")),
    "3dpw detections": Reader(
        "pickle", make_pickle, lambda f: read_3dpw_detections(f / "sequenceFiles/test/street_00.pkl")
    ),
    "pickle": Reader(
        "pickle",
        lambda f: write(f / "x.pkl", pickle.dumps({"a": [1, (2, "x")], "b": np.ones((2, 3)), "c": b"1"}, 4)),
        lambda f: read_pickle(f / "x.pkl"),
    ),
    "object npz": Reader("npz", make_object_npz, lambda f: read_object_npz(f / "x.npz", "table")),
    "sintel": Reader("png", make_sintel, clips("sintel"), memory=3000 * MEGABYTE, seconds=30),
    "flyingchairs": Reader("bytes", make_chairs, clips("flyingchairs", split="train")),
    "kitti": Reader("png", make_kitti, clips("kitti"), memory=3500 * MEGABYTE, seconds=30),
    **{
        f"estimates {name}": Reader("json", json_at("x.json", value), lambda f: people(f / "x.json"))
        for name, value in estimates.good().items()
    },
    **{
        f"estimates {name} npz": Reader("npz", make_arrays(name), lambda f: people(f / "x.npz"))
        for name in estimates.arrays()
    },
    "estimates npy": Reader("npy", make_npy, lambda f: people(f / "x.npy")),
}


def use_coco(path: Path) -> None:
    for clip in read_coco(path, keep_missing=True).clips():
        clip.whole() if clip.video else None
