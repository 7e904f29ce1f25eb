"""`dyad export`: people in the formats of other programs."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dyad.cli.console import ERR, Json, dumps, print_line


def export_command(
    source: Path,
    /,
    *,
    to: Literal["bvh", "glb", "c3d", "trc", "coco", "mot", "parquet", "csv", "usd", "rrd"],
    output: Annotated[Path | None, Parameter(name=["-o", "--output"])] = None,
    frame: Literal["world", "camera"] = "world",
    person: Annotated[list[int] | None, Parameter(negative="")] = None,
    fps: float | None = None,
    names: Literal["cmu", "mixamo"] = "cmu",
    json: Json = False,
) -> None:
    """Write a run's people for Blender, OpenSim, pandas and others; docs/formats.md tells axes, units and names.

    Parameters
    ----------
    source
        The folder of a run, or a tracks.npz.
    to
        bvh, glb or usd for animation; c3d or trc for biomechanics; parquet or csv for tables; coco or mot for
        2D; rrd for Rerun.
    output
        A file that ends as the format's do, or a folder; SOURCE/export if not given.
    frame
        world: people stand upright on a floor at height 0. camera: as the camera sees them.
    person
        Only this person; give it again for another.
    fps
        Frames a second of bvh, c3d and trc; those of the video if not given.
    names
        Joints in bvh, glb and usd are called as in CMU's motion files, or as Mixamo calls them.
    """
    from dyad.core.tracks import Tracks
    from dyad.export.saving import export_tracks

    tracks = Tracks.load(source)
    folder = (source if source.is_dir() else source.parent) / "export"
    done = export_tracks(tracks, output or folder, to, frame=frame, people=person, fps=fps, names=names)
    if done.note:
        ERR.print(f"note: {done.note}", soft_wrap=True, markup=False)
    files = [str(file) for file in done.files]
    print_line(dumps({"files": files, "note": done.note}) if json else "\n".join(files))
