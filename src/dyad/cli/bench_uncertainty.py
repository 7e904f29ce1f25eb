"""`dyad bench uncertainty`: whether sigma means what it says."""

from pathlib import Path

from dyad.cli.console import Device, Json, Threads, progress, report, use_threads


def bench_uncertainty_command(
    *,
    scenes: int = 60,
    model: str = "lifting",
    height: float | None = None,
    motions: Path | None = None,
    plot: Path | None = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Share of true joints inside the 50, 80 and 90 % intervals of sigma, lifted from 2D with a detector's errors.

    Parameters
    ----------
    scenes
        How many held-out crowds of 3 to 8 people.
    model
        Weights of a lifting network by name or file.
    height
        Tell the lifter that everyone is so tall, in metres, which most are not.
    motions
        Folder of motion capture for a part of the crowds' motion.
    plot
        Write a reliability plot to this .svg file.
    """
    from dyad.bench.integration import Crowds, held_out_troupe
    from dyad.bench.svg import check_svg, write_svg
    from dyad.bench.uncertainty import bench_uncertainty
    from dyad.bench.uncertainty_plot import reliability
    from dyad.core.devices import pick_device
    from dyad.stages.lifting_learned import make_lifter

    use_threads(threads)
    if plot is not None:
        check_svg(plot)
    lifter = make_lifter(model, pick_device(device), height=height)
    crowds = Crowds(held_out_troupe(pairs=20, singles=40, motions=motions), scenes=scenes, frames=90)
    with progress() as told:
        scores = bench_uncertainty(lifter, crowds, progress=lambda done: told("crowds", done, scenes))
    if plot is not None:
        write_svg(reliability(scores), plot)
    report(scores, json)
