"""People as a file of another tool tells of them, tied to the frames and the camera of a recording."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.estimates.sheet import Advice


@dataclass(frozen=True)
class People:
    """N person-frames.

    Attributes:
        tool: name of the format. advice: how to set the refinement.
        identified: whether the file says who is who; else ids of `rows` mean nothing.
        rows: everything, as tracks; xyz is NaN without 3D.
        scores: (N,) 0..1 that this is a person.
    """

    tool: str
    advice: Advice
    identified: bool
    rows: Tracks
    scores: Tensor

    @property
    def skeleton(self) -> Skeleton:
        """The tool's own joints."""
        return self.rows.skeleton

    @property
    def has_3d(self) -> bool:
        """Whether any joint of anybody has a place in space."""
        return bool(torch.isfinite(self.rows.xyz).any())

    def tracks(self) -> Tracks:
        """Everyone over time. Raises BadInput where the file has no identities."""
        if not self.identified:
            raise BadInput(
                f"the {self.tool} file of {self.rows.video or 'the video'} does not say who is who from frame to "
                "frame: take its detections and track them"
            )
        return self.rows

    def detections(self) -> list[Detections]:
        """Everyone of each frame, without identities; one entry a frame, also where nobody is. Filled rows are left
        out.
        """
        rows, has_3d = self.rows, self.has_3d
        chosen = torch.nonzero(~rows.filled)[:, 0]
        chosen = chosen[torch.argsort(rows.frame[chosen], stable=True)]
        counts = torch.bincount(torch.searchsorted(rows.frames, rows.frame[chosen]), minlength=len(rows.frames))
        shot = rows.shot(rows.frames)
        cuts = torch.diff(shot, prepend=shot[:1]) > 0
        return [
            Detections(
                frame=int(frame),
                time=float(time),
                boxes=rows.box[at],
                scores=self.scores[at],
                xy=rows.xy[at],
                confidence=rows.confidence[at],
                skeleton=rows.skeleton,
                xyz=rows.xyz[at] if has_3d else None,
                cut=bool(cut),
            )
            for frame, time, cut, at in zip(
                rows.frames, rows.times, cuts, torch.split(chosen, counts.tolist()), strict=True
            )
        ]
