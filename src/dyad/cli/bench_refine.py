"""`dyad bench refine`: what the correction of pose and flow by each other gains and costs, and the paper's tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from dyad.cli.console import Device, Json, Threads, print_line, progress, report, use_threads
from dyad.core.errors import BadUsage, MissingWeights

if TYPE_CHECKING:
    from dyad.bench.refine import Measure, Refined
    from dyad.bench.refine_cases import Case, Poses
    from dyad.bench.refine_data import DataSet
    from dyad.core.protocols import FlowEstimator
    from dyad.core.tracks import Tracks
    from dyad.core.video import Video
    from dyad.estimates.sheet import Advice
    from dyad.pipeline import Refinement
    from dyad.refinement.pose import PoseRefiner

_Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Table = Literal["1", "2", "3", "figure6"]


def bench_refine_command(
    *,
    table: Table | None = None,
    data: Path | None = None,
    predictions: str | None = None,
    mupots: Path | None = None,
    stored_only: _Flag = False,
    detector: str | None = None,
    flow: str | None = None,
    recipe: Literal["fast", "paper", "released"] = "fast",
    mode: Literal["3d", "2d"] | None = None,
    cycles: int | None = None,
    clips: int | None = None,
    frames: int | None = None,
    iterations: int | None = None,
    plot: Path | None = None,
    tuning: _Flag = False,
    agreement: _Flag = False,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Errors of pose and flow before and after refinement on rendered worlds that nothing was trained on, and its cost.

    Parameters
    ----------
    table
        The paper's table 1 (methods), 2 (ensembles), 3 (terms of the energy) or figure6 (number of cycles) instead.
    data
        Human3.6M, 3DPW or Sintel as they come, or a folder of these, in place of rendered worlds.
    predictions
        With --data: poses that other tools wrote, a file or folder for each clip, named as the clip; of several tools
        with commas between the folders. Each is refined as its tool needs it.
    mupots
        Folder with TSxx_374px.mp4 and TSxx.npz: strict scores of the published poses and of `dyad run`'s.
    stored_only
        With --mupots: the published poses alone.
    detector
        Whose poses: a detector of `dyad run` in place of simulated estimators; for table 2 two with a comma.
    flow
        Weights of a RAFT or GMA by name or file, or a folder of flow files; for table 2 two with a comma.
    recipe
        fast, paper or released, see `dyad refine`.
    mode
        2d moves the 2D joints alone; 3d if not given, where there is any.
    cycles
        Turns of pose and flow: 1 if not given, 5 for figure6.
    clips
        Worlds of each of five kinds (4 if not given, fewer for tables), or clips: of --tuning 8, of data sets all.
    frames
        Frames of each clip at most: 16 of rendered worlds if not given, 6 with --tuning, of data sets and MuPoTS all.
    iterations
        How often a network updates its flow; what its weights are made for if not given, or 20.
    plot
        Write figure6, or the comparison of --tuning, as a picture, .svg.
    tuning
        Compare the ways to correct flow by a pose: gain over time. With --recipe paper also its eight epochs.
    agreement
        Judge the score that tells without labels which joints are wrong.
    """
    from dyad.bench.refine_plot import figure
    from dyad.bench.refine_text import text
    from dyad.bench.svg import check_svg, write_svg

    use_threads(threads)
    _check(table, data, predictions, mupots, detector, tuning, agreement, stored_only, plot)
    if plot is not None:
        check_svg(plot)
    for name, value, least in (("clips", clips, 1), ("frames", frames, 3), ("cycles", cycles, 0)):
        if value is not None and value < least:
            raise BadUsage(f"--{name} takes a number of {least} or more, got {value}")
    turns = cycles if cycles is not None else 5 if table == "figure6" else 1
    asked = _Asked(
        data, predictions, detector, flow, recipe, mode, turns, clips, frames, iterations, device
    )  # fmt: skip
    with progress() as told:
        if tuning:
            found = _tuning(asked, plot, told)
        elif agreement:
            found = _agreement(asked, plot, told)
        elif mupots is not None:
            found = _mupots(asked, mupots, stored_only, told)
        else:
            found = _measured(asked, table, told)
    if table == "figure6" and plot is not None:
        for name, one in found.get("sets", {"": found}).items():
            write_svg(figure(one), plot.with_stem(f"{plot.stem}-{name}") if name else plot)
    if json or agreement:
        report(found, json)
    else:
        print_line("\n\n".join(f"{name}\n\n{text(one)}" for name, one in found.get("sets", {}).items()) or text(found))


@dataclass(frozen=True)
class _Asked:
    """What was asked for, and the parts made of it."""

    data: Path | None
    predictions: str | None
    detector: str | None
    flow: str | None
    recipe: str
    mode: str | None
    cycles: int
    clips: int | None
    frames: int | None
    iterations: int | None
    device: str

    @property
    def flow_name(self) -> str:
        from dyad.pipeline import FLOW

        return self.flow or FLOW

    def estimator(self, name: str | None = None) -> "FlowEstimator":
        from dyad.core.devices import pick_device
        from dyad.stages.flow import make_flow

        policy = {} if self.iterations is None else {"iterations": self.iterations}
        return make_flow(name or self.flow_name, pick_device(self.device), **policy)

    def measure(self, dataset: "DataSet | None" = None, *, plain: bool = True) -> "Measure":
        from dyad.bench.refine import Measure
        from dyad.bench.refine_cost import PlainRun
        from dyad.pipeline import Pipeline

        scored = None if dataset is None else dataset.scored
        run = None
        if plain:
            try:
                run = PlainRun(Pipeline.default(device=self.device))
            except MissingWeights:
                # The gains are known without the cost.
                run = None
        return Measure(self.refine(dataset), run, scored)

    def refine(self, dataset: "DataSet | None" = None) -> "_Refine":
        return _Refine(self.recipe, self.mode_of(dataset), self.cycles)

    def mode_of(self, dataset: "DataSet | None") -> Any:
        return "2d" if dataset is not None and dataset.flat else self.mode

    @cached_property
    def poses(self) -> "tuple[Poses, ...] | None":
        """The estimators that were named, made once; None takes simulated ones."""
        from dyad.bench.refine_cases import Real
        from dyad.bench.refine_data import Predicted
        from dyad.estimates.several import paths_of
        from dyad.estimates.sheet import OWN
        from dyad.pipeline import Pipeline, people_of

        def read(path: Path, video: "Video") -> "tuple[Tracks, Advice]":
            return people_of(video, path)

        if self.predictions is not None:
            paths = paths_of(self.predictions)
            if len(paths) == 1:
                return (Predicted(paths[0], read),)
            plain = len({path.name for path in paths}) == len(paths)
            return tuple(Predicted(path, read, path.name if plain else str(path)) for path in paths)
        if self.detector is None:
            return None
        names = [name.strip() for name in self.detector.split(",")]
        return tuple(Real(name, Pipeline.default(detector=name, device=self.device), OWN) for name in names)

    def sets(self) -> "list[tuple[DataSet | None, Path | None]]":
        from dyad.bench.refine_data import find_sets

        return [(None, None)] if self.data is None else list(find_sets(self.data))

    def cases(
        self,
        dataset: "DataSet | None",
        folder: Path | None,
        estimator: "FlowEstimator",
        each: int,
        told: Any,
        levels: Any,
    ) -> "Iterator[Case]":
        from dyad.bench.refine_cases import LEVELS, HeldOut, kinds
        from dyad.bench.refine_data import DataCases

        poses = self.poses or levels or LEVELS
        if dataset is None or folder is None:
            worlds = HeldOut(kinds(frames=self.frames or 16), each=self.clips or each, levels=poses)
            yield from worlds(estimator, told)
        else:
            yield from DataCases(dataset, folder, poses, clips=self.clips, frames=self.frames)(estimator, told)


@dataclass(frozen=True)
class _Refine:
    """What `dyad refine` does, with flow of whole images; the mode is that of the advice if None."""

    recipe: str
    mode: Any
    cycles: int

    def parts(self, estimator: "FlowEstimator", advice: "Advice | None" = None) -> "Refinement":
        from dyad.pipeline import Refinement

        return Refinement.default(
            flow=estimator, recipe=self.recipe, mode=self.mode, cycles=self.cycles, whole=True, advice=advice
        )

    def __call__(
        self, video: "Video", tracks: "Tracks", estimator: "FlowEstimator", *, advice: "Advice | None" = None
    ) -> "Refined":
        return self.parts(estimator, advice)(video, tracks)


def _measured(asked: _Asked, table: Table | None, told: Any) -> dict[str, Any]:
    found = {}
    for dataset, folder in asked.sets():
        name = "held-out worlds" if dataset is None else dataset.name
        found[name] = _one(asked, table, dataset, folder, told) | {"clips_of": name}
    return next(iter(found.values())) if len(found) == 1 else {"sets": found}


def _one(
    asked: _Asked, table: Table | None, dataset: "DataSet | None", folder: Path | None, told: Any
) -> dict[str, Any]:
    from dyad.bench import refine_tables
    from dyad.bench.refine import bench_refine
    from dyad.bench.refine_cycles import Cycles, figure_6

    epe = refine_tables.JOINTS if dataset is None else dataset.epe
    refine = asked.refine(dataset)
    scored = None if dataset is None else dataset.scored
    if table == "2":
        return _ensembles(asked, dataset, folder, told)
    # Whatever is measured, networks see large images shrunk.
    estimator = refine.parts(asked.estimator()).estimator
    if table is None:
        measure = asked.measure(dataset)
        facts = {
            "flow": asked.flow_name,
            "recipe": asked.recipe,
            "cycles": asked.cycles,
            "iterations": asked.iterations,
        }
        cases = asked.cases(dataset, folder, estimator, 4, told, None)
        return bench_refine(cases, measure, facts=facts, progress=told)
    cases = asked.cases(dataset, folder, estimator, 2 if table != "figure6" else 1, told, None)
    if table == "1":
        measure = asked.measure(dataset, plain=False)
        return refine_tables.table_1(cases, measure, flow=asked.flow_name, epe=epe, progress=told)
    if dataset is not None and dataset.flat:
        raise BadUsage(f"--table {table} is about poses in 3D, which {dataset.name} has none of")

    def pose(case: "Case") -> "PoseRefiner":
        return refine.parts(case.flow, case.advice).refiner.pose

    def turns(case: "Case") -> Cycles:
        parts = refine.parts(case.flow, case.advice).refiner
        return Cycles(parts.pose, parts.tuner, asked.cycles, flat=parts.pose.mode == "2d", scored=scored)

    if table == "3":
        return refine_tables.table_3(cases, pose, scored=scored, progress=told)
    return figure_6(cases, turns, progress=told)


def _ensembles(asked: _Asked, dataset: "DataSet | None", folder: Path | None, told: Any) -> dict[str, Any]:
    from dyad.bench import refine_tables
    from dyad.bench.refine_cases import TWINS
    from dyad.estimates.ensemble import ensemble
    from dyad.estimates.several import mean_of

    names = [name.strip() for name in asked.flow_name.split(",")]
    if len(set(names)) != 2 or len(names) != 2:
        raise BadUsage(f"--table 2 is about two flows: give both with --flow A,B, got {asked.flow_name}")
    poses = asked.poses
    if poses is not None and len(poses) != 2:
        raise BadUsage(
            "--table 2 is about two pose estimators: give both with --predictions A,B or --detector A,B, or none for "
            f"simulated ones, got {asked.predictions or asked.detector}"
        )
    # Confidences of simulated estimators mean the same; of different tools they need not, and count alike in the paper.
    mean = ensemble if poses is None else partial(mean_of, [each.name for each in poses], confident=False)
    flows = {name: asked.estimator(name) for name in names}
    epe = refine_tables.JOINTS if dataset is None else dataset.epe
    cases = asked.cases(dataset, folder, flows[names[0]], 2, told, TWINS)
    measure = asked.measure(dataset, plain=False)
    return refine_tables.table_2(cases, flows, measure, ensemble=mean, epe=epe, progress=told)


def _mupots(asked: _Asked, folder: Path, stored_only: bool, told: Any) -> dict[str, Any]:
    from dyad.bench.refine_mupots import bench_refine_mupots
    from dyad.estimates.sheet import OWN
    from dyad.workfolder import run

    def pipeline(path: Path, *, camera: Any, frames: slice | None = None) -> Any:
        return run(path, camera=camera, frames=frames, detector=asked.detector or "blazepose", device=asked.device)

    return bench_refine_mupots(
        folder,
        asked.refine(),
        asked.estimator(),
        run=None if stored_only else pipeline,
        own=OWN,
        frames=asked.frames,
        progress=told,
    )


def _tuning(asked: _Asked, plot: Path | None, told: Any) -> dict[str, Any]:
    from dyad.bench.flow import load_flow_network
    from dyad.bench.svg import write_svg
    from dyad.bench.tuning import FRAMES, VARIANTS, WHOLE, bench_tuning
    from dyad.bench.tuning_plot import tuning_plot

    network = load_flow_network(asked.flow_name)
    found = bench_tuning(
        network=network,
        name=asked.flow_name,
        clips=asked.clips or 8,
        frames=asked.frames or FRAMES,
        iterations=asked.iterations or 20,
        variants=[each for each in VARIANTS if each != WHOLE or asked.recipe == "paper"],
        progress=told,
    )
    if plot is not None:
        write_svg(tuning_plot(found), plot)
    return found | {"table": "tuning"}


def _agreement(asked: _Asked, plot: Path | None, told: Any) -> dict[str, Any]:
    from dyad.bench.agreement import bench_agreement
    from dyad.pipeline import Pipeline

    pipeline = None if asked.detector is None else Pipeline.default(detector=asked.detector, device=asked.device)
    estimator = asked.estimator()
    clips = asked.clips or 12
    return bench_agreement(clips=clips, flow=estimator, estimator=pipeline, plot=plot, progress=told)


def _check(
    table: Table | None,
    data: Path | None,
    predictions: str | None,
    mupots: Path | None,
    detector: str | None,
    tuning: bool,
    agreement: bool,
    stored_only: bool,
    plot: Path | None,
) -> None:
    """BadUsage for options that contradict each other."""
    kinds = {"--table": table, "--mupots": mupots, "--tuning": tuning or None, "--agreement": agreement or None}
    named = [name for name, value in kinds.items() if value is not None]
    if len(named) > 1:
        raise BadUsage(f"{' and '.join(named)} are benches of their own: give one of them")
    if data is not None and (mupots is not None or tuning or agreement):
        raise BadUsage("--data takes the place of rendered worlds, which this bench has none of")
    if predictions is not None and data is None:
        raise BadUsage("--predictions are of the clips of a data set: add --data DIR")
    if predictions is not None and detector is not None:
        raise BadUsage("poses come from --predictions or from --detector, got both")
    if stored_only and mupots is None:
        raise BadUsage("--stored-only is about --mupots")
    if plot is not None and not (table == "figure6" or tuning or agreement):
        raise BadUsage("--plot draws --table figure6, --tuning or --agreement")
