"""People as a recording for the Rerun viewer (.rrd). Metres, y up. Needs the package rerun-sdk."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import MissingExtra
from dyad.core.files import whole_file
from dyad.export.upright import Person, Upright

_IMAGE = "space/camera"


def write_rrd(path: str | Path, space: Upright) -> None:
    """Write everyone into one recording, which appears whole or not at all.

    Joints in space are points of `space/person_N` that bones join; joints in the image lie below `space/camera`, where
    the viewer projects them. The timelines `time` (s after the first processed frame) and `frame` (index in the source)
    go together. After the last frame of a stretch a person is cleared. MissingExtra without rerun-sdk.
    """
    rr = _library()
    people = space.people()
    recording = rr.RecordingStream("dyad", recording_id=space.tracks.video or "dyad", send_properties=False)
    with whole_file(path) as partial:
        recording.save(str(partial))
        try:
            recording.log("space", rr.ViewCoordinates.RIGHT_HAND_Y_UP, _classes(rr, space, people), static=True)
            _camera(rr, recording, space)
            if space.note:
                recording.log("note", rr.TextDocument(space.note), static=True)
            for rank, person in enumerate(people):
                _person(rr, recording, space, person, rank)
            recording.flush()
        finally:
            recording.disconnect()


def _library() -> Any:
    """Rerun has types, but loads slowly."""
    try:
        return import_module("rerun")
    except ImportError as error:
        raise MissingExtra.of("rerun-sdk", "rerun", "writing recordings for Rerun") from error


def _classes(rr: Any, space: Upright, people: list[Person]) -> Any:
    """What the points of each person are called, and which of them bones join."""
    skeleton = space.tracks.skeleton
    joints = [rr.AnnotationInfo(id=k, label=name.replace("_", " ")) for k, name in enumerate(skeleton.names)]
    return rr.AnnotationContext(
        [
            rr.ClassDescription(
                info=rr.AnnotationInfo(id=rank, label=f"person {person.number}"),
                keypoint_annotations=joints,
                keypoint_connections=[(int(a), int(b)) for a, b in skeleton.bones],
            )
            for rank, person in enumerate(people)
        ]
    )


def _camera(rr: Any, recording: Any, space: Upright) -> None:
    """The camera, if it stands in one place: it looks along its own z, y down."""
    if space.camera is None:
        return
    camera = space.tracks.camera
    focal = camera.focal.tolist()
    centre = camera.centre.tolist()
    recording.log(_IMAGE, rr.Transform3D(translation=space.camera, mat3x3=space.rotation), static=True)
    pinhole = rr.Pinhole(
        focal_length=focal, principal_point=centre, resolution=list(camera.size), camera_xyz=rr.ViewCoordinates.RDF
    )
    recording.log(_IMAGE, pinhole, static=True)


def _person(rr: Any, recording: Any, space: Upright, person: Person, rank: int) -> None:
    xy = space.tracks.xy.double().numpy()[person.rows]
    place, gone = _stretches(space, person)
    spaces = [(f"space/person_{person.number}", rr.Points3D, person.xyz)]
    spaces += [(f"{_IMAGE}/person_{person.number}", rr.Points2D, xy)] if space.camera is not None else []
    frames = np.concatenate((space.tracks.frames.numpy()[place], space.tracks.frames.numpy()[gone]))
    seconds = np.concatenate((person.times, space.times[gone]))
    order = np.argsort(frames, kind="stable")
    timelines = [
        rr.TimeColumn("frame", sequence=frames[order].tolist()),
        rr.TimeColumn("time", duration=seconds[order].tolist()),
    ]
    for entity, points, values in spaces:
        known = np.isfinite(values).all(-1)
        lengths = np.concatenate((known.sum(-1), np.zeros(len(gone), np.int64)))[order]
        recording.send_columns(
            entity,
            timelines,
            points.columns(
                positions=values[known],
                keypoint_ids=np.nonzero(known)[1].astype(np.uint16),
                class_ids=np.full(int(known.sum()), rank, np.uint16),
            ).partition(lengths.tolist()),
        )


def _stretches(space: Upright, person: Person) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of a person's rows on the timeline, and the places that follow a stretch of them."""
    place = np.searchsorted(space.tracks.frames.numpy(), person.frames)
    after = np.setdiff1d(place + 1, place)
    return place, after[after < len(space.tracks.frames)]
