"""Joints as a tidy table, one row for each joint of each person in each frame: CSV, or Parquet.

Columns are in `COLUMNS`, with their units in docs/formats.md. In the frame "world" y points up, as in the other
formats; in the frame "camera" these are the numbers of the tracks themselves: x right, y down, z forward.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dyad.core.errors import MissingExtra
from dyad.core.files import whole_file
from dyad.export.upright import Upright

COLUMNS = (
    *("time", "frame", "person", "joint", "x", "y", "z", "sigma", "confidence", "agreement"),
    *("sigma_x", "sigma_y", "sigma_z", "u", "v", "filled", "flags"),
)
_CHUNK = 1024
_DECIMALS = {"time": 6, "u": 2, "v": 2, "confidence": 4, "agreement": 4}


def write_csv(path: str | Path, space: Upright) -> None:
    """Write the table as CSV with a line of names; what is missing is empty. The file appears whole or not at all."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(COLUMNS) + "\n")
        for part in _parts(space):
            texts = [_texts(name, part[name]) for name in COLUMNS]
            file.writelines(",".join(row) + "\n" for row in zip(*texts, strict=True))


def write_parquet(path: str | Path, space: Upright) -> None:
    """Write the table as Parquet; what is missing is null. The file appears whole or not at all.

    The entry "dyad" of the file's metadata is JSON: the frame, the unit, the note on what was assumed, the video.
    MissingExtra where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra.of("pyarrow", "parquet", "writing Parquet") from error
    kinds: dict[str, Any] = {"time": pa.float64(), "frame": pa.int64(), "person": pa.int64(), "flags": pa.int64()}
    kinds |= {"joint": pa.dictionary(pa.int32(), pa.string()), "filled": pa.bool_()}
    about = {"frame": space.frame, "unit": "m", "note": space.note, "video": space.tracks.video}
    schema = pa.schema([(name, kinds.get(name, pa.float32())) for name in COLUMNS])
    schema = schema.with_metadata({"dyad": json.dumps(about)})
    with whole_file(path) as partial, pq.ParquetWriter(str(partial), schema) as writer:
        for part in _parts(space):
            columns = []
            for name in COLUMNS:
                kind = schema.field(name).type
                if name == "joint":
                    names = pa.array(list(space.tracks.skeleton.names), pa.string())
                    columns.append(pa.DictionaryArray.from_arrays(pa.array(part["place"], pa.int32()), names))
                else:
                    columns.append(pa.array(part[name], kind, from_pandas=True))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _parts(space: Upright) -> Iterator[dict[str, np.ndarray]]:
    """Columns of some thousand rows of the tracks at a time."""
    tracks = space.tracks
    names = np.array(tracks.skeleton.names)
    joints = len(names)
    camera = space.frame == "camera"
    for start in range(0, len(tracks), _CHUNK):
        rows = slice(start, start + _CHUNK)
        xyz = tracks.xyz[rows].double().numpy() if camera else space.xyz[rows]
        sigma = space.sigma[rows]
        pixels = tracks.xy[rows].double().numpy()
        count = len(xyz)
        place = np.tile(np.arange(joints), count)
        part = {name: np.repeat(getattr(tracks, name)[rows].numpy(), joints) for name in ("time", "frame", "person")}
        part |= {"joint": names[place], "place": place, "sigma": np.sqrt((sigma**2).mean(-1)).ravel()}
        part |= {f"sigma_{axis}": sigma[..., i].ravel() for i, axis in enumerate("xyz")}
        part |= {axis: xyz[..., i].ravel() for i, axis in enumerate("xyz")}
        part |= {axis: pixels[..., i].ravel() for i, axis in enumerate("uv")}
        part |= {name: getattr(tracks, name)[rows].double().numpy().ravel() for name in ("confidence", "agreement")}
        part |= {name: np.repeat(getattr(tracks, name)[rows].numpy(), joints) for name in ("filled", "flags")}
        yield part


def _texts(name: str, values: np.ndarray) -> list[str]:
    if name == "joint":
        return values.tolist()
    if name == "filled":
        return ["1" if value else "0" for value in values.tolist()]
    if values.dtype.kind != "f":
        return list(map(str, values.tolist()))
    form = f"%.{_DECIMALS.get(name, 5)}f"
    return ["" if value != value else form % value for value in values.tolist()]
