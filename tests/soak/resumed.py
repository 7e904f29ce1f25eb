"""A process that runs on a clip in small pieces, to be killed: CLIP OUT [resume|ray]."""

import sys
from pathlib import Path

import torch

import dyad

DETECTOR = f"{Path(__file__).resolve().parents[1] / 'standin.py'}:StandIn"
PIECE = 64


def run(clip: str, output: str, *words: str) -> None:
    torch.set_num_threads(1)
    elsewhere = None
    if "ray" in words:
        from dyad.shards.cluster import Cluster

        elsewhere = Cluster("local", threads=1)
    dyad.run(clip, output, detector=DETECTOR, piece=PIECE, resume="resume" in words, elsewhere=elsewhere)


if __name__ == "__main__":
    run(*sys.argv[1:])
