"""`dyad lift`: 2D joints of tracked people to metres."""

from pathlib import Path

from dyad.cli.console import Device, Json, Out, Threads, dumps, print_line, use_threads
from dyad.core.errors import BadUsage


def lift_command(
    tracks: Path,
    /,
    *,
    output: Out,
    camera: Path | None = None,
    height: float | None = None,
    model: str = "lifting",
    skeleton: str = "body17",
    fps: float = 30.0,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Lift tracked 2D joints to 3D in metres with a trained network; OUT gets tracks.npz.

    Parameters
    ----------
    tracks
        OUT of `dyad run`, a tracks.npz, or an npz with xy (F, P, J, 2) px, confidence, K and image_size.
    camera
        TOML file with size and focal, and maybe centre and distortion, in place of the camera that the file has.
    height
        Stature of the people in metres, if known; fixes the scale.
    model
        Weights of a lifting network by name or file.
    skeleton
        Joints of plain arrays: body17, coco17, mupots17, lsp14 or blazepose33.
    fps
        Frames a second of plain arrays.
    """
    from dyad.core.camera import Camera
    from dyad.core.devices import pick_device
    from dyad.stages.lifting_joints import SKELETONS, read_joints
    from dyad.stages.lifting_learned import make_lifter

    use_threads(threads)
    if skeleton not in SKELETONS:
        raise BadUsage(f"--skeleton takes {', '.join(SKELETONS)}, got {skeleton!r}")
    if not fps > 0:
        raise BadUsage(f"--fps is a number above 0, got {fps}")
    given = None if camera is None else Camera.from_file(camera)
    found = read_joints(tracks, camera=given, skeleton=SKELETONS[skeleton], fps=fps)
    lifted = make_lifter(model, pick_device(device), height=height)(found)
    output.mkdir(parents=True, exist_ok=True)
    lifted.save(output / "tracks.npz")
    facts = {
        "tracks": str(output / "tracks.npz"),
        "people": len(lifted.people),
        "frames": len(lifted.frames),
        "rows": len(lifted),
        "filled": int(lifted.filled.sum()),
        "floor": None if lifted.world is None else lifted.world.floor.tolist(),
    }
    if json:
        print_line(dumps({**facts, "model": model}))
    else:
        print_line(f"{facts['tracks']}: {facts['people']} people, {facts['rows']} person-frames in metres")
