"""`dyad bench agreement`: whether the score that needs no labels tells which joints are off."""

from pathlib import Path

from dyad.cli.console import Device, Json, Threads, progress, report, use_threads


def bench_agreement_command(
    *,
    clips: int = 12,
    flow: str | None = None,
    plot: Path | None = None,
    fit: Path | None = None,
    iterations: int | None = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """AUROC and calibration of the agreement score on rendered clips, of the noise model and of the default detector.

    Parameters
    ----------
    clips
        How many rendered clips to judge by.
    flow
        Weights of a flow network; true flow with noise where none is named.
    plot
        Write what was said against what was observed to this .svg file.
    fit
        First make the table that the score reads anew, from 72 other clips, write it to this file, and judge it.
    iterations
        How often the network corrects its flow, if not as often as in use.
    """
    from dyad.bench.agreement import bench_agreement, make_table
    from dyad.core.devices import pick_device
    from dyad.pipeline import Pipeline
    from dyad.stages.flow import make_flow

    use_threads(threads)
    estimator = Pipeline.default(device=device)
    policy = {} if iterations is None else {"iterations": iterations}
    network = None if flow is None else make_flow(flow, pick_device(device), **policy)
    with progress() as told:
        table = None
        if fit is not None:
            table = make_table(fit, flow=network, estimator=estimator, progress=told)
        scores = bench_agreement(clips=clips, flow=network, estimator=estimator, model=table, plot=plot, progress=told)
    report(scores, json)
