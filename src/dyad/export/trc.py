"""People as TRC, the tab-separated text of marker positions that OpenSim reads. Millimetres, y up.

https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53088869/Marker+.trc+Files
"""

from pathlib import Path

import numpy as np

from dyad.core.files import whole_file
from dyad.export.clock import Clock, sampled
from dyad.export.markers import marker_names
from dyad.export.upright import Person, Upright

_MM = 1000.0
_CHUNK = 1024


def write_trc(path: str | Path, space: Upright, people: list[Person], clock: Clock) -> None:
    """Write one person, or several into one file, which appears whole or not at all.

    The frames are those from the first to the last of any row, numbered from 1 in the clip, with times in seconds
    after the clip's first frame, so that files of several people agree. A missing joint is written as nan, as OpenSim
    does: empty cells at the end of a line make its reader stumble. In a file of several people a marker's name begins
    with P, the person's number and an underscore.
    """
    names = marker_names(space.tracks.skeleton)
    prefixes = ["" if len(people) == 1 else f"P{person.number}_" for person in people]
    labels = [prefix + name for prefix in prefixes for name in names]
    first, last = min(p.times[0] for p in people) - 1e-6, max(p.times[-1] for p in people) + 1e-6
    inside = np.nonzero((clock.times >= first) & (clock.times <= last))[0]
    rate = f"{clock.rate:.10g}"
    axes = [f"{axis}{number}" for number in range(1, len(labels) + 1) for axis in "XYZ"]
    keys = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units")
    keys += ("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames")
    lines = [
        ("PathFileType", "4", "(X/Y/Z)", Path(path).name),
        keys,
        (rate, rate, len(inside), len(labels), "mm", rate, inside[0] + 1 if len(inside) else 1, len(inside)),
        ("Frame#", "Time", *(word for label in labels for word in (label, "", ""))),
        ("", "", *axes),
        (),
    ]
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines("\t".join(map(str, line)) + "\n" for line in lines)
        for start in range(0, len(inside), _CHUNK):
            chosen = inside[start : start + _CHUNK]
            times = clock.times[chosen]
            joints = np.concatenate([sampled(space, person, times)[0] for person in people], 1)
            rows = (joints * _MM).reshape(len(times), -1).tolist()
            for number, time, row in zip(chosen.tolist(), times.tolist(), rows, strict=True):
                cells = (f"{value:.4f}" for value in row)
                file.write("\t".join((str(number + 1), f"{time:.6f}", *cells)) + "\n")
