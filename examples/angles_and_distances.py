"""The angle of a knee, and how far two people are apart: `python examples/angles_and_distances.py OUT`."""

import sys

import torch

import dyad


def knee_angle(tracks: dyad.Tracks, side: str) -> torch.Tensor:
    """Degrees in each row, 180 for a straight leg."""
    hip, knee, ankle = (tracks.xyz[:, tracks.skeleton.index(f"{side}_{joint}")] for joint in ("hip", "knee", "ankle"))
    return torch.rad2deg(torch.acos(torch.cosine_similarity(hip - knee, ankle - knee, dim=-1)))


def main(folder: str) -> None:
    tracks = dyad.load(folder)
    angle = knee_angle(tracks, "left")
    for person in tracks.people:
        rows = tracks.rows(person)
        print(f"person {person}: the left knee bends to {float(angle[rows].nan_to_num(180).min()):.0f} degrees")
    dense = tracks.window()  # (frames, people, joints); NaN where somebody is absent
    pelvis = dense.xyz[:, :, tracks.skeleton.index("pelvis")]
    for a in range(len(dense.people)):
        for b in range(a):
            apart = (pelvis[:, a] - pelvis[:, b]).norm(dim=-1)
            if apart.isfinite().any():
                nearest = float(apart[apart.isfinite()].min())
                print(f"people {dense.people[b]} and {dense.people[a]} come as near as {nearest:.2f} m")


if __name__ == "__main__":
    main(*sys.argv[1:])
