"""What the page knows of a run, or of two: whole numbers in small units, packed, so that the page opens quickly."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyad.core.tracks import Flag, Tracks
from dyad.viewer import palette
from dyad.viewer.comparison import Comparison
from dyad.viewer.packing import pack
from dyad.viewer.summary import SOLE, standing_height, summarise

SCHEMA = "dyad-report/2"

# Feet a little under the lowest joints that noise alone puts there.
_LOW_SHARE = 0.02
_FEET = ("ankle", "heel", "foot", "toe")
# The two runs of a comparison: one colour each.
_SIDES = ("A", "B")
_SIDE_COLOURS = (palette.COLOURS[0], palette.COLOURS[1])


def build(tracks: Tracks, *, video: dict[str, Any], run: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """The page's data, ready for `json.dumps(…, allow_nan=False)`.

    xy is in 0.1 px, xyz and sigma (of the root, root of the mean square over joints where it has none) in mm,
    confidence and agreement in percent, all packed (`packing.pack`); `agreement` is None where no flow was asked.
    `runs` are [first timeline position, number of frames, filled].
    """
    page, people = build_parts(tracks, video=video, run=run, notes=notes)
    return page | {"people": list(people)}


def build_parts(
    tracks: Tracks, *, video: dict[str, Any], run: dict[str, Any], notes: list[str]
) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """The same as the page without its `people`, and these one after the other: of an hour they are many megabytes."""
    floor = ground(tracks)
    told = {entry["id"]: entry for entry in summarise(tracks, floor["up"], run)}
    tracks.rest()

    def people() -> Iterator[dict[str, Any]]:
        for person, colour in palette.assign(tracks.people).items():
            yield _person(tracks, person, colour) | {"summary": told[person]}
            tracks.rest()

    return _page(tracks, video, run, notes, floor), people()


def build_comparison(
    comparison: Comparison,
    *,
    names: tuple[str, str],
    video: dict[str, Any],
    runs: tuple[dict[str, Any], dict[str, Any]],
    notes: list[str],
) -> dict[str, Any]:
    """The data of a page with two runs: as of one, with the people of both, and `comparison`.

    The timeline, the floor and the camera are the first run's. A person has besides: `side` (0 or 1), `name`,
    `partner` (place in `people` of who it mostly is in the other run, or -1) and `apart` (mm, a row).
    """
    first, second = comparison.first, comparison.second
    floor = ground(first)
    people: list[dict[str, Any]] = []
    for side, (tracks, run) in enumerate(zip((first, second), runs, strict=True)):
        told = {entry["id"]: entry for entry in summarise(tracks, floor["up"], run)}
        for person in tracks.people:
            rows = tracks.rows(person).numpy()
            extra = {
                "side": side,
                "name": f"{_SIDES[side]}{person}",
                "apart": pack(comparison.apart[side][rows], 1000),
                "summary": told[person],
            }
            people.append(_person(tracks, person, _SIDE_COLOURS[side]) | extra)
    people = _beside_each_other(people, comparison)
    facts = comparison.facts()
    sides = [
        {"letter": letter, "name": name, "colour": palette.hexadecimal(colour), "quality": quality}
        for letter, name, colour, quality in zip(_SIDES, names, _SIDE_COLOURS, facts["runs"], strict=True)
    ]
    run = {f"{letter}: {name}": run for letter, name, run in zip(_SIDES, names, runs, strict=True)}
    page = _page(first, video, run, notes, floor)
    return page | {"people": people, "comparison": {**facts, "sides": sides}}


def _beside_each_other(people: list[dict[str, Any]], comparison: Comparison) -> list[dict[str, Any]]:
    """Partners next to one another, each with the other's place."""
    mates: dict[tuple[int, int], tuple[int, int]] = {}
    for pair in comparison.pairs:
        a, b = (0, pair.first), (1, pair.second)
        if a not in mates and b not in mates:
            mates[a], mates[b] = b, a

    def order(one: dict[str, Any]) -> tuple[int, int, int]:
        key = (one["side"], one["id"])
        mate = mates.get(key)
        lead = key if one["side"] == 0 or mate is None else mate
        return (1 if mate is None and one["side"] else 0, lead[1], one["side"])

    ordered = sorted(people, key=order)
    places = {(one["side"], one["id"]): place for place, one in enumerate(ordered)}
    return [one | {"partner": places.get(mates.get((one["side"], one["id"]), (-1, -1)), -1)} for one in ordered]


def _page(
    tracks: Tracks, video: dict[str, Any], run: dict[str, Any], notes: list[str], floor: dict[str, Any]
) -> dict[str, Any]:
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
            "focal": tracks.camera.focal.tolist(),
            "centre": tracks.camera.centre.tolist(),
            "source": tracks.camera.source,
        },
        "ground": floor,
        "coverage": coverage(tracks),
        "flags": {str(flag.value): flag.meaning for flag in Flag},
        "run": _plain(run),
        "notes": [str(note) for note in notes],
        "comparison": None,
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
    return {"up": [0.0, -1.0, 0.0], "offset": round(SOLE - lowest, 4), "source": "assumed"}


def _person(tracks: Tracks, person: int, colour: palette.RGB) -> dict[str, Any]:
    rows = tracks.rows(person)
    rows = rows[torch.isin(tracks.frame[rows], tracks.frames)]
    place = torch.searchsorted(tracks.frames, tracks.frame[rows])
    sigma, agreement = tracks.sigma[rows].double(), tracks.agreement[rows]
    root = sigma[:, tracks.skeleton.index(tracks.skeleton.root)].norm(dim=-1)
    overall = sigma.square().sum(-1).nanmean(-1).sqrt()
    return {
        "id": person,
        "side": 0,
        "name": str(person),
        "partner": -1,
        "apart": None,
        "colour": palette.hexadecimal(colour),
        "height": standing_height(tracks, rows),
        "runs": _runs(place.tolist(), tracks.filled[rows].tolist()),
        "xy": pack(tracks.xy[rows], 10),
        "confidence": pack(tracks.confidence[rows], 100),
        "xyz": pack(tracks.xyz[rows], 1000),
        "sigma": pack(torch.where(torch.isfinite(root), root, overall), 1000),
        "agreement": pack(agreement, 100) if torch.isfinite(agreement).any() else None,
        "flags": pack(tracks.flags[rows], 1),
    }


def _runs(places: list[int], filled: list[bool]) -> list[list[int]]:
    runs: list[list[int]] = []
    for place, is_filled in zip(places, filled, strict=True):
        if runs and runs[-1][0] + runs[-1][1] == place and runs[-1][2] == int(is_filled):
            runs[-1][1] += 1
        else:
            runs.append([place, 1, int(is_filled)])
    return runs


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
