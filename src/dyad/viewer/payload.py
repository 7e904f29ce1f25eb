"""What the page knows of a run: integers in small units and null for what is missing, so that the file stays small."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyad.core.tracks import Flag, Tracks
from dyad.viewer import palette

SCHEMA = "dyad-report/1"

# Feet a little under the lowest joints that noise alone puts there.
_LOW_SHARE = 0.02
_FEET = ("ankle", "heel", "foot", "toe")
# From the joints that end the chains to the ground and to the crown.
_SOLE = 0.08


def build(tracks: Tracks, *, video: dict[str, Any], run: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """The page's data, ready for `json.dumps(…, allow_nan=False)`.

    xy is in 0.1 px, xyz and sigma (of the root, root of the mean square over joints where it has none) in mm,
    confidence and agreement in percent; `agreement` is None where no flow was asked. `runs` are [first timeline
    position, number of frames, filled].
    """
    width, height = tracks.camera.size
    names = tracks.skeleton.names
    return {
        "schema": SCHEMA,
        "video": {"name": tracks.video, "width": int(width), "height": int(height), **video},
        "fps": _plain(tracks.fps),
        "frames": tracks.frames.tolist(),
        "times": [round(t, 6) for t in tracks.times.tolist()],
        "skeleton": {
            "names": list(names),
            "bones": [list(bone) for bone in tracks.skeleton.bones],
            "root": tracks.skeleton.index(tracks.skeleton.root),
            "sides": [palette.side_of(name) for name in names],
        },
        "camera": {
            "focal": tracks.camera.focal.reshape(-1, 2)[0].tolist(),
            "centre": tracks.camera.centre.reshape(-1, 2)[0].tolist(),
            "source": tracks.camera.source,
        },
        "ground": ground(tracks),
        "coverage": coverage(tracks),
        "flags": {str(flag.value): flag.meaning for flag in Flag},
        "people": [_person(tracks, person, colour) for person, colour in palette.assign(tracks.people).items()],
        "run": _plain(run),
        "notes": [str(note) for note in notes],
    }


def coverage(tracks: Tracks) -> dict[str, float]:
    """Share of person-frames that were detected and that were filled; 0 where there are none."""
    filled = float(tracks.filled.double().mean()) if len(tracks) else 0.0
    return {"detected": 1 - filled if len(tracks) else 0.0, "filled": filled}


def ground(tracks: Tracks) -> dict[str, Any]:
    """Up in camera axes and the offset in m, so that `up · x + offset` is a height; `source` is estimated or assumed.

    Without an estimate the camera counts as upright and the floor lies at the lowest feet.
    """
    if tracks.world is not None:
        normal = tracks.world.floor[:3].double()
        size = float(normal.norm())
        up = (normal / size).tolist()
        return {
            "up": [round(v, 6) for v in up],
            "offset": round(float(tracks.world.floor[3]) / size, 4),
            "source": "estimated",
        }
    feet = [i for i, name in enumerate(tracks.skeleton.names) if any(part in name for part in _FEET)]
    heights = -tracks.xyz[:, feet or slice(None), 1].double()
    heights = heights[torch.isfinite(heights)]
    lowest = float(torch.quantile(heights[:1_000_000], _LOW_SHARE)) if len(heights) else -1.0
    return {"up": [0.0, -1.0, 0.0], "offset": round(_SOLE - lowest, 4), "source": "assumed"}


def standing_height(tracks: Tracks, rows: Tensor) -> float | None:
    """A person's height in m: lengths of the bones from sole to crown, median over frames; None without such joints."""
    names = tracks.skeleton.names

    def distance(a: str, b: str) -> Tensor:
        lengths = (tracks.xyz[rows, names.index(a)] - tracks.xyz[rows, names.index(b)]).norm(dim=-1)
        return lengths[torch.isfinite(lengths)].median()

    trunk = [chain for chain in (("pelvis", "spine", "neck"), ("pelvis", "neck")) if set(chain) <= set(names)]
    head = [chain for chain in (("neck", "nose", "head_top"), ("neck", "head_top")) if set(chain) <= set(names)]
    legs = [f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")]
    if not trunk or not head or not set(legs) <= set(names):
        return None
    total = sum(float(distance(a, b)) for chain in (trunk[0], head[0]) for a, b in pairwise(chain))
    for side in ("left", "right"):
        total += 0.5 * sum(
            float(distance(f"{side}_{a}", f"{side}_{b}")) for a, b in (("hip", "knee"), ("knee", "ankle"))
        )
    return round(total + _SOLE, 3) if np.isfinite(total) else None


def _person(tracks: Tracks, person: int, colour: palette.RGB) -> dict[str, Any]:
    rows = tracks.rows(person)
    rows = rows[torch.isin(tracks.frame[rows], tracks.frames)]
    place = torch.searchsorted(tracks.frames, tracks.frame[rows])
    sigma, agreement = tracks.sigma[rows].double(), tracks.agreement[rows]
    root = sigma[:, tracks.skeleton.index(tracks.skeleton.root)].norm(dim=-1)
    overall = sigma.square().sum(-1).nanmean(-1).sqrt()
    return {
        "id": person,
        "colour": palette.hexadecimal(colour),
        "height": standing_height(tracks, rows),
        "runs": _runs(place.tolist(), tracks.filled[rows].tolist()),
        "xy": _integers(tracks.xy[rows], 10),
        "confidence": _integers(tracks.confidence[rows], 100),
        "xyz": _integers(tracks.xyz[rows], 1000),
        "sigma": _integers(torch.where(torch.isfinite(root), root, overall), 1000),
        "agreement": _integers(agreement, 100) if torch.isfinite(agreement).any() else None,
        "flags": tracks.flags[rows].tolist(),
    }


def _runs(places: list[int], filled: list[bool]) -> list[list[int]]:
    runs: list[list[int]] = []
    for place, is_filled in zip(places, filled, strict=True):
        if runs and runs[-1][0] + runs[-1][1] == place and runs[-1][2] == int(is_filled):
            runs[-1][1] += 1
        else:
            runs.append([place, 1, int(is_filled)])
    return runs


def _integers(values: Tensor, per_unit: int) -> list[int | None]:
    """Rounded multiples of 1/per_unit, flat; None for what is missing or beyond any picture or place."""
    scaled = (values.double() * per_unit).reshape(-1).numpy()
    good = np.isfinite(scaled) & (np.abs(scaled) < 1e9)
    whole = np.rint(np.where(good, scaled, 0)).astype(np.int64).tolist()
    return whole if good.all() else [value if keep else None for value, keep in zip(whole, good.tolist(), strict=True)]


def _plain(value: Any) -> Any:
    """What JSON can hold: NaN and infinity become None, numbers of numpy and torch become Python's, the rest text."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic) or (isinstance(value, Tensor) and value.numel() == 1):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
