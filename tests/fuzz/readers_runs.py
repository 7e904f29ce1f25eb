"""What is read of a run's own folder, by pages that are made later and by a run that goes on."""

import io
from pathlib import Path

import numpy as np
import torch

from dyad.core.detection_files import load_detections, save_detections
from dyad.core.detections import Detections
from dyad.core.skeleton import BODY17
from dyad.result import finished as done
from dyad.viewer.comparing import compare_runs
from dyad.viewer.finished import finished
from dyad.viewer.gallery import write_gallery
from dyad.viewer.report import write_report
from tests.estimates.making import CAMERA
from tests.fuzz.readers import Reader, make_tracks, write

ACCOUNT = {
    "schema": "dyad-run/1",
    "key": "k",
    "video": {
        "name": "a.mp4",
        "size": [640, 480],
        "fps": 25.0,
        "frames": 5,
        "decoded": {"frames": 5, "expected": 5, "complete": True, "damaged": 0, "resized": 0},
    },
    "camera": CAMERA.to_json(),
    "camera_moves": False,
    "options": {"detector": "blazepose", "device": "auto"},
    "weights": {"a.tflite": "0" * 64},
    "people": 2,
    "coverage": {"detected": 9, "filled": 1, "refused": 0},
    "refinement": {"cycles": 1, "scores": [0.5], "seconds": {"flow": 1.0}, "agreement": {"share": 0.9}},
    "seconds": {"detect": 1.0, "write": 0.5},
    "notes": ["The focal length is a guess."],
}


def make_run(folder: Path) -> list[Path]:
    place = folder / "run"
    place.mkdir()
    make_tracks(place)
    page = write(place / "report.html", '<p><script type="text/plain" id="video-data">AAAA</script></p>')
    for name in ("overlay.mp4",):
        write(place / name, b"")
    return [write(place / "run.json", ACCOUNT), page]


def use_run(folder: Path) -> None:
    """Every page that can be made of it."""
    write_gallery(folder)
    run = finished(folder / "run")
    with run.clip():
        pass
    write_report(folder / "page.html", run.tracks, video=None, run=run.account, notes=run.notes)
    compare_runs(folder / "run", folder / "run", folder / "compare.html")


def frame(number: int, people: int) -> Detections:
    values = torch.rand(people, 17, 2, generator=torch.Generator().manual_seed(number))
    return Detections(
        frame=number,
        time=number / 25,
        boxes=torch.rand(people, 4),
        scores=torch.rand(people),
        xy=values,
        confidence=values[..., 0],
        skeleton=BODY17,
        xyz=torch.rand(people, 17, 3),
    )


def make_detections(folder: Path) -> Path:
    save_detections(folder / "d.npz", [frame(0, 2), frame(1, 0), frame(2, 1)], key="k")
    return folder / "d.npz"


def use_detections(path: Path, *, sent: bool = False) -> None:
    """From a file, or as another process sends it."""
    for found in load_detections(io.BytesIO(path.read_bytes()) if sent else path)[0]:
        np.asarray(found.xy).sum()


READERS: dict[str, Reader] = {
    "account of a run": Reader("bytes", make_run, use_run),
    "run that goes on": Reader("bytes", make_run, lambda f: done(f / "run", "k")),
    "detections": Reader("npz", make_detections, lambda f: use_detections(f / "d.npz")),
    "detections that were sent": Reader(
        "npz", make_detections, lambda f: use_detections(f / "d.npz", sent=True), named=False
    ),
}
