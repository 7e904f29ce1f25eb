"""Everyone as an animated GLB, and person by person as BVH: `python examples/to_blender.py OUT`."""

import sys
from pathlib import Path

import dyad


def main(folder: str) -> None:
    tracks = dyad.load(folder)
    export = Path(folder) / "export"
    for to in ("glb", "bvh"):
        done = dyad.export_tracks(tracks, export, to)
        print(*done.files, sep="\n")
    if done.note:
        print(done.note)


if __name__ == "__main__":
    main(*sys.argv[1:])
