"""Write one joint of everyone to a table: `python examples/joints_to_csv.py VIDEO TABLE.csv`."""

import csv
import sys

import dyad


def main(video: str, table: str, joint: str = "left_wrist") -> None:
    tracks = dyad.run(video).tracks
    k = tracks.skeleton.index(joint)
    with open(table, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["person", "time", "x", "y", "z", "sigma_z", "confidence"])
        for row in range(len(tracks)):
            place, doubt = tracks.xyz[row, k].tolist(), float(tracks.sigma[row, k, 2])
            sure = float(tracks.confidence[row, k])
            rows.writerow([int(tracks.person[row]), float(tracks.time[row]), *place, doubt, sure])


if __name__ == "__main__":
    main(*sys.argv[1:])
