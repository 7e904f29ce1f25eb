"""Boxes of people as MOTChallenge's text: frame, id, left, top, width, height, confidence, x, y, z.

https://motchallenge.net/instructions/
"""

from pathlib import Path

import numpy as np

from dyad.core.files import whole_file
from dyad.export.upright import TO_Z_UP, Upright


def write_mot(path: str | Path, space: Upright) -> None:
    """Write a line for each person and frame with a box, by frame; the file appears whole or not at all.

    Frames count from 1: the first of the source is 1. The id is the person's. Left and top are in pixels, of which the
    first one's centre is (1, 1). Confidence is the mean over the joints, 0 where a row bridges a gap. x, y and z are
    the place of the root joint in metres, to the right, away from the camera and up; -1 -1 -1 where unknown.
    """
    tracks = space.tracks
    box = tracks.box.double().numpy()
    sure = np.nan_to_num(tracks.confidence.double().numpy())
    sure = sure.mean(-1) if sure.shape[1] else sure.sum(-1)
    root = space.xyz[:, tracks.skeleton.names.index(tracks.skeleton.root)] @ TO_Z_UP.T
    root = np.where(np.isfinite(root).all(-1, keepdims=True), root, -1.0)
    sides = np.concatenate([box[:, :2] + 1, box[:, 2:] - box[:, :2]], -1)
    frames, people = tracks.frame.numpy(), tracks.person.numpy()
    order = np.lexsort((people, frames))
    with whole_file(path) as partial, partial.open("w", encoding="ascii", newline="\n") as file:
        for row in order[np.isfinite(sides[order]).all(-1)].tolist():
            numbers = (*sides[row].tolist(), sure[row], *root[row].tolist())
            form = "{},{},{:.2f},{:.2f},{:.2f},{:.2f},{:.4f},{:.4f},{:.4f},{:.4f}\n"
            file.write(form.format(frames[row] + 1, people[row], *numbers))
