"""What a coach or a clinician wants to know of each person first, and how far it can be trusted."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyad.core.tracks import Flag, Tracks
from dyad.viewer.gait import gait

# From the joints that end the chains to the ground and to the crown.
SOLE = 0.08
# What a stature from joints inside the body is off (m), and, as a share, what one camera cannot tell of a person's
# size: the lifter's own figures, with a stature that was given and without.
_JOINTS, _SIZE_GIVEN, _SIZE_PRIOR = 0.02, 0.005, 0.05

_SWAPS = int(Flag.SWAPPED_SIDES | Flag.SWAPPED_PEOPLE)
GRADES = ("good", "fair", "poor")


def summarise(tracks: Tracks, up: list[float], run: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """One entry a person, ascending by identity; numbers that cannot be told are None.

    Args:
        up: unit vector against gravity, in camera axes.
        run: what `run.json` holds; its options say whether the stature was given.
    """
    options = (run or {}).get("options")
    given = isinstance(options, dict) and isinstance(options.get("height"), int | float)
    found = []
    for person in tracks.people:
        found.append(_summary(tracks, person, np.array(up), given))
        tracks.rest()
    return found


def _summary(tracks: Tracks, person: int, up: np.ndarray, given: bool) -> dict[str, Any]:
    rows = tracks.rows(person)
    names = tracks.skeleton.names
    times, xyz = tracks.time[rows].numpy(), tracks.xyz[rows].double().numpy()
    filled = tracks.filled[rows].numpy()
    step = _step(tracks)
    feet = ("left_ankle", "right_ankle")
    ankles = xyz[:, tracks.skeleton.indices(*feet)] if set(feet) <= set(names) else None
    walk = gait(times, xyz[:, names.index(tracks.skeleton.root)], ankles, up, ~filled)
    stature, spread = stature_of(tracks, rows, given)
    grade, reasons = trust(tracks, rows)
    return {
        "id": person,
        "from": rounded(times[0] - float(tracks.times[0]), 3),
        "to": rounded(times[-1] + step - float(tracks.times[0]), 3),
        "seconds": rounded(len(rows) * step, 3),
        "seen": rounded(int((~filled).sum()) * step, 3),
        "share": rounded((~filled).sum() / max(1, len(tracks.frames)), 4),
        "filled": rounded(filled.mean(), 4),
        "stature": stature,
        "stature_spread": spread,
        "walked": rounded(walk.walked, 2),
        "distance": rounded(walk.distance, 2),
        "speed": rounded(walk.speed, 3),
        "speed_low": rounded(walk.low, 3),
        "speed_high": rounded(walk.high, 3),
        "cadence": rounded(walk.cadence, 1),
        "trust": grade,
        "reasons": reasons,
    }


def standing_height(tracks: Tracks, rows: Tensor) -> float | None:
    """A person's height in m: lengths of the bones from sole to crown, median over frames; None without such joints."""
    lengths = _statures(tracks, rows)
    return None if lengths is None else rounded(_median_of_parts(lengths) + SOLE, 3)


def stature_of(tracks: Tracks, rows: Tensor, given: bool = False) -> tuple[float | None, float | None]:
    """Height in m and its standard deviation.

    It adds up what one camera cannot tell of sizes, that joints lie inside the body, and how bones' lengths vary.
    """
    height = standing_height(tracks, rows)
    lengths = _statures(tracks, rows)
    if height is None or lengths is None:
        return None, None
    total = lengths.sum(0)
    total = total[np.isfinite(total)]
    scatter = 1.4826 * float(np.median(np.abs(total - np.median(total)))) if len(total) else 0.0
    size = height * (_SIZE_GIVEN if given else _SIZE_PRIOR)
    return height, rounded(float(np.hypot(np.hypot(size, _JOINTS), scatter)), 3)


def _statures(tracks: Tracks, rows: Tensor) -> np.ndarray | None:
    """Lengths (parts, n) in m that add up to the height; the legs count half each."""
    names = tracks.skeleton.names
    trunk = [chain for chain in (("pelvis", "spine", "neck"), ("pelvis", "neck")) if set(chain) <= set(names)]
    head = [chain for chain in (("neck", "nose", "head_top"), ("neck", "head_top")) if set(chain) <= set(names)]
    legs = [f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")]
    if not trunk or not head or not set(legs) <= set(names):
        return None
    xyz = tracks.xyz[rows].double()
    bones = [(a, b, 1.0) for chain in (trunk[0], head[0]) for a, b in pairwise(chain)]
    for side in ("left", "right"):
        bones += [(f"{side}_{a}", f"{side}_{b}", 0.5) for a, b in (("hip", "knee"), ("knee", "ankle"))]
    parts = [share * (xyz[:, names.index(a)] - xyz[:, names.index(b)]).norm(dim=-1) for a, b, share in bones]
    return torch.stack(parts).numpy()


def _median_of_parts(lengths: np.ndarray) -> float:
    known = [part[np.isfinite(part)] for part in lengths]
    return float(sum(np.median(part) for part in known)) if all(len(part) for part in known) else np.nan


def trust(tracks: Tracks, rows: Tensor) -> tuple[str, list[str]]:
    """How far a person's numbers can be relied on: "good", "fair" or "poor", and why not better, worst first."""
    filled = tracks.filled[rows]
    detected = rows[~filled]
    flags = tracks.flags[rows]
    found: list[tuple[int, str]] = []

    def say(value: float, fair: float, poor: float, text: str) -> None:
        if np.isfinite(value) and value > fair:
            found.append((2 if value > poor else 1, text))

    if (flags & int(Flag.FLAT) > 0).any():
        found.append((2, "no 3D was estimated: the pose lies on a plane that faces the camera"))
    share = float(filled.double().mean())
    say(share, 0.08, 0.25, f"{_percent(share)} of the time filled in, not seen")
    doubt = 1 - float(tracks.confidence[detected].double().nanmean()) if len(detected) else 1.0
    say(doubt, 0.35, 0.6, f"joints were found with a confidence of only {_percent(1 - doubt)}")
    agreement = tracks.agreement[rows].double()
    agreement = agreement[torch.isfinite(agreement)]
    if len(agreement):
        agreed = float(agreement.mean())
        say(1 - agreed, 0.4, 0.6, f"optical flow agrees to only {_percent(agreed)}")
    for bits, text in (
        (_SWAPS, "left and right, or two people, seem exchanged"),
        (1, "another person claims the joints"),
    ):
        part = float((flags & bits > 0).double().mean())
        say(part, 0.03, 0.15, f"{text} in {_percent(part)} of frames")
    border = float((flags & int(Flag.BORDER) > 0).double().mean())
    say(border, 0.35, 0.8, f"cut by the image border in {_percent(border)} of frames")
    root = tracks.skeleton.index(tracks.skeleton.root)
    relative = tracks.sigma[rows, root].double().norm(dim=-1) / tracks.xyz[rows, root].double().norm(dim=-1)
    relative = relative[torch.isfinite(relative)]
    if len(relative):
        depth = float(relative.median())
        why = ", because the focal length is a guess" if tracks.camera.guessed else ""
        say(depth, 0.12, 0.4, f"the distance from the camera is known to ± {_percent(depth)}{why}")
    seconds = len(detected) * _step(tracks)
    if seconds < 1:
        found.append((2 if seconds < 0.3 else 1, f"seen for {seconds:.1f} s only"))
    found.sort(key=lambda reason: -reason[0])
    return GRADES[found[0][0] if found else 0], [text for _, text in found]


def _step(tracks: Tracks) -> float:
    """Seconds that a frame stands for."""
    steps = tracks.times.diff()
    return float(steps.median()) if len(steps) else 1 / tracks.fps


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def rounded(value: float, digits: int) -> float | None:
    """A number for JSON, which has none for what is not known."""
    return round(float(value), digits) if np.isfinite(value) else None
