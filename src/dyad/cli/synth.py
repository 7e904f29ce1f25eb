"""`dyad synth`: clips of rendered people with their whole truth."""

import shlex
from pathlib import Path

from dyad.cli.console import Json, Out, dumps, print_line, progress
from dyad.core.errors import BadUsage


def synth_command(
    count: int,
    /,
    *,
    output: Out,
    people: str = "1:4",
    size: str = "512x384",
    seed: int = 0,
    seconds: float = 3.0,
    fps: float = 25.0,
    flow: bool = True,
    masks: bool = True,
    motions: Path | None = None,
    backgrounds: Path | None = None,
    workers: int | None = None,
    json: Json = False,
) -> None:
    """Render clips of people whose motion is known: video, 3D and 2D truth, optical flow, masks, COCO JSON.

    An interrupted call goes on where it stopped when it is repeated. The same seed gives the same truth.

    Parameters
    ----------
    count
        How many clips.
    people
        A:B, from A to B people in a clip, or a number.
    size
        WxH in px.
    seed
        Another seed gives other clips.
    seconds
        Length of a clip.
    fps
        Frames a second.
    flow
        Write optical flow, most of the bytes.
    masks
        Write whose pixel each is.
    motions
        Folder of motion capture (BVH, AMC with its ASF, or npz) for a part of the motion; without, all is made up.
    backgrounds
        Folder of images, to be seen behind people and on walls.
    workers
        Processes; one a core if not given.
    """
    from dyad.synth import Plan, synth
    from dyad.synthetic.random_scenes import Recipe

    recipe = Recipe(
        people=_range(people),
        size=_size(size),
        seconds=seconds,
        fps=fps,
        motions=motions,
        backgrounds=backgrounds,
    )
    words = f"dyad synth {count} -o {shlex.quote(str(output))} --people {people} --size {size} --seed {seed}"
    words += f" --seconds {seconds:g} --fps {fps:g}{'' if flow else ' --no-flow'}{'' if masks else ' --no-masks'}"
    folders = (("--motions", motions), ("--backgrounds", backgrounds))
    words += "".join(f" {name} {shlex.quote(str(path))}" for name, path in folders if path is not None)
    with progress() as told:
        folder = synth(count, output, Plan(recipe, seed, flow, masks), workers=workers, command=words, progress=told)
    if json:
        print_line(dumps({"folder": str(folder), "clips": count}))
    else:
        print_line(f"{count} {'clip is' if count == 1 else 'clips are'} in {folder}; dataset.json there lists them")


def _range(text: str) -> tuple[int, int]:
    least, _, most = text.partition(":")
    if not least.isdecimal() or not (most or least).isdecimal():
        raise BadUsage(f"--people takes A:B with whole numbers, such as 1:4, or one number, got {text!r}")
    return int(least), int(most or least)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not width.isdecimal() or not height.isdecimal():
        raise BadUsage(f"--size takes WxH in px, such as 512x384, got {text!r}")
    return int(width), int(height)
