"""A process that runs on a clip in small pieces, to be killed: CLIP OUT [resume] [ray] [refine].

With `refine`, the flow is CLIP's flow.npz beside it, and only the first frames are seen.
"""

import sys
from pathlib import Path

import torch

import dyad

DETECTOR = f"{Path(__file__).resolve().parents[1] / 'standin.py'}:StandIn"
PIECE = 64
REFINED = 200


def run(clip: str, output: str, *words: str) -> None:
    torch.set_num_threads(1)
    elsewhere = None
    if "ray" in words:
        from dyad.shards.cluster import Cluster

        elsewhere = Cluster("local", threads=1)
    more = {}
    if "refine" in words:
        more = {"refine": True, "flow": str(Path(clip).with_name("flow.npz")), "frames": slice(0, REFINED)}
    dyad.run(clip, output, detector=DETECTOR, piece=PIECE, resume="resume" in words, elsewhere=elsewhere, **more)


if __name__ == "__main__":
    run(*sys.argv[1:])
