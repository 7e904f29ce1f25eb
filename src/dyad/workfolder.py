"""A run from a video to a folder: tracks, an overlay, a page, and an account of what was done."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from dyad.core.camera import Camera
from dyad.core.errors import BadUsage
from dyad.core.files import whole_file, writing_to
from dyad.core.locks import writes_alone
from dyad.core.memory import give_back_memory
from dyad.core.protocols import Detector, FlowEstimator, Lifter, Tracker
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.estimates.reading import own_people
from dyad.estimates.several import paths_of
from dyad.estimates.sheet import OWN
from dyad.export.flow_folder import FLOW_FILES, write_flow_folder
from dyad.export.video import clip_writer
from dyad.pipeline import FLOW, FLOW_SIDE, OnFrame, OnStage, Pipeline, Progress, Refinement, Watch, people_of
from dyad.refinement.inputs import is_tracks, video_of
from dyad.refinement.pose import Dimensions
from dyad.result import Coverage, Result, account_of, finished, notes_of
from dyad.resuming import STAGES, refining, resuming
from dyad.stages.motion import CameraMotion
from dyad.stages.pieces import LENGTH, Elsewhere, Pieces
from dyad.stages.weights_used import detector_weights, flow_weights, lifter_weights
from dyad.viewer.overlay import overlay_writer
from dyad.viewer.report import EMBED_LIMIT, write_report

# Frames of the report's own video are at most this long: enough to see limbs, little enough to travel in one page.
_REPORT_SIDE = 960

# All that a run may write to its folder; video.mp4 only where the page is too small for it, flow only on request.
FILES = ("tracks.npz", "run.json", "overlay.mp4", "report.html", "video.mp4")


@writes_alone
def run(
    source: Any,
    output: str | PathLike[str] | None = None,
    *,
    camera: Camera | str | PathLike[str] | None = None,
    focal: float | None = None,
    fov: float | None = None,
    height: float | None = None,
    frames: slice | None = None,
    every: int = 1,
    detector: str | Detector = "blazepose",
    tracker: str | Tracker | None = None,
    lifter: str | Lifter | None = None,
    weights: tuple[str, ...] = (),
    max_people: int | None = None,
    thorough: bool = False,
    key_interval: float | None = None,
    refine: bool = False,
    flow: str | FlowEstimator = FLOW,
    device: str = "auto",
    resume: bool = False,
    piece: int = LENGTH,
    elsewhere: Callable[..., Elsewhere] | None = None,
    notes: tuple[str, ...] = (),
    progress: Progress | None = None,
    on_frame: OnFrame | None = None,
    on_stage: OnStage | None = None,
) -> Result:
    """Everyone in a video, in metres, in one camera frame.

    Args:
        source: path of a video file or of a folder of images, an array (T, H, W, 3) uint8 RGB, or a `Video`.
        output: folder for `tracks.npz`, `run.json`, `overlay.mp4` and `report.html`; None writes nothing.
        camera: a camera, or the path of a TOML file; focal: px; fov: horizontal degrees. At most one of the three; with
            none, the focal length is guessed (`Camera.guess`), and the result says so.
        height: stature in m of the people, if known; it fixes the scale.
        frames: half-open range of the source's frames; every: take each N-th of them.
        detector: who finds people, by name or as an object; weights: what a named one reads.
        tracker, lifter: plug-ins by name, or objects, in place of Dyad's own (docs/plugins.md).
        max_people: keep the most evident ones.
        thorough: spend more time to find small and crowded people.
        key_interval: s between the frames in which new people are looked for.
        refine: also estimate optical flow, and let it and the poses correct each other; flow: whose it is (weights by
            name, a folder or .npz of flow, or an estimator).
        device: "auto", "cpu", "cuda", "mps".
        resume: go on where an interrupted call with the same arguments stopped in `output`; what another one left there
            is not used. piece: frames that are found, and kept, together. elsewhere: who finds pieces in this process's
            stead, see `dyad.shards`.
        notes: sentences to put into the report.
        progress: told how far each stage is. on_frame: told what was found in each frame, as it is found.
        on_stage: told the tracks after "track", "lift" and "refine". What the three raise ends the run.

    Raises:
        BadInput: the source cannot be read. BadUsage: the options contradict each other. MissingWeights: the networks
        are not at hand and cannot be fetched.
    """
    video = open_video(source, camera=camera, focal=focal, fov=fov, frames=frames, every=every)
    options: dict[str, Any] = {"detector": detector, "weights": weights, "device": device, "thorough": thorough}
    parts: dict[str, Any] = {"tracker": tracker, "lifter": lifter}
    pipeline = Pipeline.default(max_people=max_people, height=height, key_interval=key_interval, **options, **parts)
    refinement = Refinement.default(flow=flow, device=device, advice=OWN) if refine else None
    folder = None if output is None else ready_folder(output, source)
    finding = options | {"max_people": max_people, "key_interval": key_interval, "piece": piece}
    rest = parts | {"height": height, "flow": refinement}
    keys = None if folder is None else resuming(folder, source, video, finding=finding, rest=rest, asked=resume)
    if folder is not None and keys is not None:
        if resume and (done := finished(folder, keys.whole)) is not None:
            return done
        keys.begin(resume=resume)
    if not video.live:
        remote = None if elsewhere is None else elsewhere(source, video, finding, keys.found if keys else "")
        shelf = None if keys is None else keys.shelf
        given = {"length": piece, "shelf": shelf, "elsewhere": remote}
        pipeline = replace(pipeline, detector=Pieces(detector=pipeline.detector, **given))
    watch = Watch(progress, on_frame, on_stage)
    tracks = pipeline(video, watch)
    # Nothing below needs its networks, and drawing a long video needs their room.
    del pipeline
    detected, filled = int((~tracks.filled).sum()), int(tracks.filled.sum())
    told = None
    if refinement is not None and (advice := own_people(tracks).advice) != OWN:
        # Where a detector gives no 3D, and the lifter made one up, the 2D joints are what there is to refine.
        refinement = Refinement.default(flow=flow, device=device, advice=advice)
    if refinement is not None:
        plain = sum(watch.seconds.values())
        kept: dict[str, Any] = {"folder": keys.stages, "key": keys.whole} if keys else {}
        refined = refinement(video, tracks, watch, **kept)
        tracks, told = watch.reached("refine", refined.tracks), refinement.account(refined, plain)
    result = Result(
        tracks,
        Coverage(detected, filled, max(0, watch.detections - detected)),
        watch.seconds,
        [*notes, *notes_of(video, tracks, height)],
        folder,
        told,
    )
    if folder is None:
        return result
    named = {"detector": detector} | parts
    asked = options | {k: v if v is None or isinstance(v, str) else type(v).__name__ for k, v in named.items()}
    asked |= {"frames": [frames.start, frames.stop] if frames else None}
    asked |= {"height": height, "every": every, "max_people": max_people, "key_interval": key_interval}
    used = detector_weights(detector, weights, thorough=thorough) | lifter_weights(lifter)
    used |= flow_weights(flow) if refine else {}
    asked |= {"refine": refine}
    result = _write(result, folder, video, watch, asked, weights=used, key=keys.whole if keys else "")
    if keys is not None:
        keys.end()
    return result


@writes_alone
def refine(
    source: Any,
    tracks: Tracks | str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    detections: str | PathLike[str] | None = None,
    camera: Camera | str | PathLike[str] | None = None,
    focal: float | None = None,
    fov: float | None = None,
    flow: str | FlowEstimator = FLOW,
    recipe: str = "fast",
    mode: Dimensions | None = None,
    cycles: int = 1,
    flow_side: int = FLOW_SIDE,
    save_flow: bool = False,
    resume: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> Result:
    """Poses and optical flow that agree, from the tracks of a video.

    Args:
        source: the video that the tracks were made from: a path, an array or a `Video`.
        tracks: or the path of a `tracks.npz`, of the folder that holds it, or of what another tool wrote
            (docs/estimates.md); several with commas are averaged.
        output: folder for what `run` writes; None writes nothing.
        detections: a file of other 2D joints of the same people, to which the poses keep instead of their own.
        camera, focal, fov: see `run`; of the video, for poses of other tools. Tracks have their camera.
        flow, recipe, mode, cycles, flow_side, device: see `Refinement.default`.
        save_flow: also write the flow of whole images, as `flow.npz` and in colours as `flow.mp4`.
        resume: go on with the stages that an interrupted call with the same arguments left in `output`.
        progress: told how far each stage is.

    Raises:
        BadInput: a file cannot be read, or video and tracks do not belong together. BadUsage: the options contradict
        each other. MissingWeights: the flow network is not at hand.
    """
    paths = [] if isinstance(tracks, Tracks) else paths_of(tracks)
    inputs = [str(path) for path in (source, *paths, detections) if isinstance(path, str | PathLike)]
    own = tracks if isinstance(tracks, Tracks) else next((load(path) for path in paths if is_tracks(path)), None)
    if own is None:
        video = open_video(source, camera=camera, focal=focal, fov=fov)
    elif (camera, focal, fov) != (None, None, None):
        raise BadUsage("tracks have their camera already: leave out --camera, --focal and --fov")
    else:
        video = video_of(source, own)
    loaded, advice = people_of(video, tracks if own is None or len(paths) > 1 else own, detections)
    refinement = Refinement.default(
        flow=flow,
        recipe=recipe,
        mode=mode,
        cycles=cycles,
        whole=save_flow,
        advice=advice,
        flow_side=flow_side,
        device=device,
    )
    folder = None if output is None else ready_folder(output, *inputs)
    key = "" if folder is None else refining(source, loaded, refinement, asked=resume)
    stages = None if folder is None else folder / STAGES
    if folder is not None and resume:
        done = finished(folder, key, names=FLOW_FILES if save_flow else ())
        if done is not None:
            return done
    if stages is not None and not resume:
        shutil.rmtree(stages, ignore_errors=True)
    watch = Watch(progress)
    refined = refinement(video, loaded, watch, folder=stages, key=key)
    told = refinement.account(refined) | {"recipe": recipe, "mode": refinement.refiner.pose.mode}
    told |= {"save_flow": save_flow}
    filled = int(refined.tracks.filled.sum())
    coverage = Coverage(len(refined.tracks) - filled, filled, 0)
    result = Result(refined.tracks, coverage, watch.seconds, notes_of(video, refined.tracks, None), folder, told)
    if folder is None or stages is None:
        return result
    if save_flow:
        with writing_to(folder), watch.stage("write"):
            frames, times = refined.tracks.frames.tolist(), refined.tracks.times.tolist()
            write_flow_folder(folder, refined.flows, sorted(refined.flows.places), frames, times)
    asked = {"recipe": recipe, "mode": mode, "cycles": cycles, "flow": refinement.name, "device": device}
    asked |= {"detector": "", "detections": detections is not None}
    result = _write(result, folder, video, watch, asked, weights=flow_weights(flow), key=key)
    shutil.rmtree(stages, ignore_errors=True)
    return result


def open_video(
    source: Any,
    *,
    camera: Camera | str | PathLike[str] | None = None,
    focal: float | None = None,
    fov: float | None = None,
    frames: slice | None = None,
    every: int = 1,
) -> Video:
    """The video that the options mean, with its camera."""
    given = [f"--{name} {value}" for name, value in (("focal", focal), ("fov", fov)) if value is not None]
    given += [] if camera is None else ["a --camera" if isinstance(camera, Camera) else f"--camera {camera}"]
    if len(given) > 1:
        raise BadUsage(f"give one of --camera, --focal and --fov, got {' and '.join(given)}")
    if isinstance(source, Video):
        if (camera, focal, fov, frames) != (None, None, None, None) or every != 1:
            raise BadUsage("a Video has its camera and its frames already: give them to it, not beside it")
        return source
    video = Video(source, frames=frames, every=every)
    if camera is not None and not isinstance(camera, Camera):
        camera = Camera.from_file(camera)
    elif focal is not None:
        camera = Camera.from_focal(video.size, focal)
    elif fov is not None:
        camera = Camera.from_fov(video.size, fov)
    return video if camera is None else Video(source, camera=camera, frames=frames, every=every)


def ready_folder(output: str | PathLike[str], *sources: Any) -> Path:
    """Make the folder and try it, before hours are spent on what could not be written. BadInput, BadUsage.

    None of the `sources` that are paths may be what is written there.
    """
    folder = Path(output)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    results = [(folder / name).resolve() for name in (*FILES, *FLOW_FILES)]
    for source in sources:
        if isinstance(source, str | PathLike):
            place = Path(source).resolve()
            if place in results or place / "tracks.npz" in results:
                raise BadUsage(f"the results would overwrite {source}; choose another folder with -o")
    return folder


def load(folder: str | PathLike[str]) -> Tracks:
    """The tracks of a run's folder, or of a `tracks.npz`."""
    return Tracks.load(Path(folder))


def _write(
    result: Result,
    folder: Path,
    video: Video,
    watch: Watch,
    asked: dict[str, Any],
    *,
    weights: dict[str, Path],
    key: str,
) -> Result:
    with writing_to(folder), tempfile.TemporaryDirectory(prefix=".dyad-", dir=folder) as scratch:
        with watch.stage("write"):
            result.tracks.save(folder / "tracks.npz")
        copy = Path(scratch) / "video.mp4"
        motion = _draw(result, video, watch, overlay=folder / "overlay.mp4", copy=copy)
        if motion.moving:
            moved = f"about {100 * motion.typical:.2g} % of the image diagonal a frame"
            note = f"The camera moves ({moved}): positions are in the camera frame of each moment, not of the room."
            result = replace(result, notes=[*result.notes, note])
        account = account_of(result, video, asked, weights=weights, moving=motion.moving, key=key)
        with watch.stage("write"):
            # The page holds the copy of the clip, or, where that is too large, names it: only then it is kept.
            if copy.stat().st_size > EMBED_LIMIT:
                copy = copy.replace(folder / copy.name)
            page = folder / "report.html"
            write_report(page, result.tracks, video=copy, run=account, notes=result.notes, embed_limit=EMBED_LIMIT)
        account["seconds"] = {name: round(value, 3) for name, value in watch.seconds.items()}
        with whole_file(folder / "run.json") as partial:
            partial.write_text(json.dumps(account, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return result


def _draw(result: Result, video: Video, watch: Watch, *, overlay: Path, copy: Path) -> CameraMotion:
    """Second pass over the video: the overlay, the page's own copy, and whether the camera moves."""
    tracks, motion = result.tracks, CameraMotion()
    give_back_memory()
    with (
        overlay_writer(overlay, tracks) as painter,
        clip_writer(copy, longest=_REPORT_SIDE, quality=26) as clip,
    ):
        chunks = video.chunks(8)
        for chunk in watch.follow("draw", chunks, len(tracks.frames), size=lambda chunk: len(chunk.indices)):
            with watch.stage("draw"):
                for k, (frame, time) in enumerate(zip(chunk.indices.tolist(), chunk.times.tolist(), strict=True)):
                    rows = painter.rows(frame)
                    motion.update(chunk.images[k], tracks.box[rows].numpy(), cut=bool(chunk.cut[k]))
                    clip.write(chunk.images[k], time)
                    painter.write(chunk.images[k], frame, time)
            tracks.rest()
    return motion
