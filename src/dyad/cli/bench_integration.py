"""`dyad bench integration`: the first paper's tables 1 and 2, on crowds that no training saw."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dyad.cli.console import Json, Threads, print_line, progress, report, use_threads

if TYPE_CHECKING:
    from dyad.stages.integration import Rule


def bench_integration_command(
    *,
    table: Literal["1", "2"] = "1",
    data: Path | None = None,
    scenes: int = 24,
    motions: Path | None = None,
    weights: str = "integration",
    steps: int = 150,
    unheld: bool = False,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """PCK, PCK_abs, AUC and roots within 25 cm by how much of people is hidden, with 95 % intervals over scenes.

    Without --data the branches are simulated: rows that differ in a branch alone differ by what was stated of it.

    Parameters
    ----------
    table
        1: single branches and their integrations; 2: what the losses without labels are worth.
    data
        Folder of MuPoTS-3D files TSxx.npz with published branch outputs, in place of simulated crowds; table 1 alone.
    scenes
        How many crowds.
    motions
        Folder of motion capture for a part of the crowds' motion; for table 2 of those without labels, and of those
        that are judged.
    weights
        Of the network that integrates, by name or file; for table 2 of the teacher, which should be of a training
        without --motions.
    steps
        Table 2: of each training without labels.
    unheld
        Table 2: the losses of equation 10 alone, with neither labels nor pseudo-labels to hold the student; "labelled
        alone" is then the teacher.
    """
    from dyad.bench.integration import Crowds, as_text, bench_integration, held_out_troupe
    from dyad.core.errors import BadUsage
    from dyad.stages.integration import Hard, Learned, Linear

    use_threads(threads)
    learned = Learned.load(weights)
    if data is not None:
        from dyad.bench.integration_published import bench_published

        if table != "1":
            raise BadUsage("--data holds published outputs for table 1; table 2 is of simulated crowds")
        report(bench_published(data, rules={"hard": Hard(), "linear": Linear(), "learned": learned}), json)
        return
    crowds = Crowds(held_out_troupe(motions=motions), scenes=scenes)
    rules: dict[str, Rule] = {"TD + BU (IN)": learned}
    if table == "2":
        from dyad.training.unlabelled_integration import TABLE2, UNHELD, crowds_to_learn_from, without_labels

        # Labels are of made-up motion alone: what lacks labels should be of another kind.
        troupe = crowds_to_learn_from(motions)
        labelled = troupe if motions is None else crowds_to_learn_from(None)
        rules = {
            name: Learned(without_labels(learned.network, losses, troupe=troupe, labelled=labelled, steps=steps))
            for name, losses in (UNHELD if unheld else TABLE2).items()
        }
        if unheld:
            rules = {"labelled alone": learned, **rules}
    with progress() as told:
        count = iter(range(1, scenes + 1))
        scores = bench_integration(
            crowds, rules, table_number=int(table), progress=lambda _: told("crowds", next(count), scenes)
        )
    if json:
        report(scores, True)
    else:
        print_line(as_text(scores))
