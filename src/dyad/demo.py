"""A run on a clip whose truth is known, because Dyad drew it: shows the whole pipeline, and how good it is."""

import logging
from dataclasses import replace
from os import PathLike
from typing import Any

import torch

from dyad.core.devices import pick_device
from dyad.core.errors import MissingWeights
from dyad.core.files import writing_to
from dyad.core.protocols import Detector
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.core.tracks import Tracks
from dyad.evaluation.strict import StrictProtocol, TruePoses
from dyad.export.video import clip_writer
from dyad.pipeline import Progress
from dyad.stages import make_detector
from dyad.stages.oracle import Noise, OracleDetector
from dyad.synthetic.annotation import annotated
from dyad.synthetic.demo import SEED, demo_scene
from dyad.synthetic.rendering.render import Rendering
from dyad.workfolder import Result, ready_folder, run

log = logging.getLogger(__name__)

ORACLE_NOTE = (
    "No network of weights could be had, so these people were NOT found in the images: the demonstration started from "
    "the drawn truth with a detector's errors added. Connect, or give a wheel to `dyad weights pull blazepose --from`."
)


def demo(
    output: str | PathLike[str],
    *,
    seed: int = SEED,
    people: int = 4,
    seconds: float = 5.0,
    device: str = "auto",
    progress: Progress | None = None,
) -> tuple[Result, dict[str, Any]]:
    """Draw a clip, run on it as on any video with a known camera, and score the result against the truth.

    Writes to `output` what `run` writes, and the clip as `demo.mp4` with its truth as `truth.npz`. Without the
    embedded detector's weights and without a network it runs on noisy true detections instead, and says so.
    """
    # As many threads as the networks will take: they change no byte of the picture.
    scene = demo_scene(seed, seconds=seconds, people=people, threads=torch.get_num_threads())
    folder = ready_folder(output)
    times = scene.times.tolist()
    with writing_to(folder), clip_writer(folder / "demo.mp4", quality=18) as writer:

        def write(frame: int, drawn: Rendering) -> None:
            writer.write(scene.photographed(drawn, frame), times[frame])
            if progress is not None:
                progress("draw clip", frame + 1, scene.frames)

        truth = annotated(scene, BODY17, write)
        truth.save(folder / "truth.npz")
    detector, notes = _detector(truth, device, seed)
    result = run(
        folder / "demo.mp4",
        output,
        camera=scene.path.camera,
        detector=detector,
        notes=notes,
        device=device,
        progress=progress,
    )
    return result, score(truth, result.tracks)


def score(truth: Tracks, found: Tracks) -> dict[str, Any]:
    """The strict scores of tracks against the truth of their clip, rounded for reading."""
    if not len(found):
        return {"coverage": 0.0, "pck": 0.0, "pck_abs": 0.0}
    window = truth.convert(MUPOTS17).window()
    visible = window.confidence > 0.5
    poses = TruePoses(
        window.xy.double().numpy(),
        window.xyz.double().numpy(),
        (~visible).numpy(),
        window.present.numpy(),
        MUPOTS17,
    )
    # Frame k of the written clip is frame k of the drawn one.
    scores = StrictProtocol()(poses, replace(found, frames=torch.arange(len(found.frames))))
    return {
        "coverage": round(scores.coverage, 3),
        "coverage_clear": round(scores.coverage_clear, 3),
        "pck": round(scores.pck, 1),
        "pck_abs": round(scores.pck_abs, 1),
        "mpjpe_mm": round(scores.mpjpe_mm, 1),
        "root_error_mm": round(scores.root_error_mm, 1),
        "idf1": round(scores.idf1, 3),
        "id_switches": scores.id_switches,
    }


def _detector(truth: Tracks, device: str, seed: int) -> tuple[str | Detector, tuple[str, ...]]:
    try:
        return make_detector("blazepose", (), pick_device(device), key_interval=None), ()
    except MissingWeights as error:
        log.warning("%s", error)
        return OracleDetector(truth, Noise.detector(), seed=seed), (ORACLE_NOTE,)
