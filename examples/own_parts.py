"""A detector, a tracker and a lifter of one's own: `dyad run VIDEO -o OUT --detector examples/own_parts.py:Near`."""

import torch

import dyad
from dyad.core.skeleton import BODY17


class Near:
    """A detector: Dyad's own, less whoever is smaller than a quarter of the image."""

    def __call__(self, video, prior=None):
        for found in dyad.Pipeline.default().detector(video, prior):
            yield found[tall(found) > video.size[1] / 4]


def largest(detections, video):
    """A tracker: the tallest in each frame is always the same person."""
    kept = [one.convert(BODY17)[tall(one).argsort(descending=True)[:1]] for one in detections]
    frame = torch.tensor([one.frame for one in kept for _ in range(len(one))], dtype=torch.long)
    rows = {name: torch.cat([getattr(one, name) for one in kept]) for name in ("xy", "confidence")}
    rows |= {"frame": frame, "person": torch.zeros_like(frame), "box": torch.cat([one.boxes for one in kept])}
    when = {"frames": [one.frame for one in kept], "times": [one.time for one in kept], "fps": video.fps}
    return dyad.Tracks.of_rows(camera=video.camera, video=video.name, **rows, **when)


def flat(tracks):
    """A lifter: everybody stands three metres away, give or take one."""
    xyz = tracks.camera.unproject(tracks.xy, torch.full_like(tracks.confidence, 3.0))
    return tracks.with_(xyz=xyz.float(), sigma=torch.ones_like(xyz).float())


def tall(found):
    return found.boxes[:, 3] - found.boxes[:, 1]
