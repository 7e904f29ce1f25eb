"""`dyad weights`: what is there, fetching the rest, and bringing in checkpoints of others."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from dyad.cli.console import ERR, Json, dumps, print_line
from dyad.core.errors import BadInput, BadUsage, MissingWeights

weights_app = App(name="weights", help="The networks' weights: what is there, fetching the rest, importing others'.")


@weights_app.command(name="list")
def weights_list(*, json: Json = False) -> None:
    """Every file of weights: those to fetch, present or not, those that come with Dyad, and all that was imported."""
    from dyad.models.checkpoints import shipped, stored
    from dyad.models.published import PUBLISHED
    from dyad.models.weights import list_weights

    entries, imported = list_weights(), stored()
    lines = [
        f"{entry.state:8} {entry.file}  {entry.bytes:,} bytes  {entry.licence}  {entry.source}" for entry in entries
    ]
    lines += [f"shipped  {name}  {path.stat().st_size:,} bytes  Apache-2.0" for name, path in shipped().items()]
    lines += [f"imported {name}  {path.stat().st_size:,} bytes  {path}" for name, path in imported.items()]
    lines += [f"absent   {name}  {it.licence}  {it.url}" for name, it in PUBLISHED.items() if name not in imported]
    for line in lines:
        ERR.print(line, soft_wrap=True, markup=False)
    if json:
        facts = [{"file": e.file, "sha256": e.sha256, "state": e.state, "path": str(e.path)} for e in entries]
        ours = {"shipped": shipped(), "imported": imported}
        facts += [
            {"file": path.name, "state": state, "path": str(path)}
            for state, files in ours.items()
            for path in files.values()
        ]
        print_line(dumps(facts))


@weights_app.command(name="pull")
def weights_pull(
    name: str = "blazepose", /, *, from_wheel: Annotated[Path | None, Parameter(name=["--from", "--from-wheel"])] = None
) -> None:
    """Fetch weights into the user's cache: BlazePose by pip or from a wheel at hand, others from their public address.

    Parameters
    ----------
    name
        blazepose, or a name that `dyad weights list` shows as absent.
    from_wheel
        The file mediapipe-0.10.21-….whl, if it was fetched by other means.
    """
    from dyad.models.published import PUBLISHED, pull
    from dyad.models.weights import WeightsError, pull_blazepose

    if name != "blazepose" and name not in PUBLISHED:
        raise BadUsage(f"there are no weights {name!r} to pull; there are: blazepose, {', '.join(PUBLISHED)}")
    try:
        print_line(f"{name} is in {pull_blazepose(from_wheel) if name == 'blazepose' else pull(name)}")
    except WeightsError as error:
        raise MissingWeights(str(error)) from error


@weights_app.command(name="import")
def weights_import(
    file: Path, /, *, name: Annotated[str | None, Parameter(name="--as")] = None, json: Json = False
) -> None:
    """Bring in a checkpoint of somebody else: the network and its names are recognised, nothing in the file is run.

    Parameters
    ----------
    file
        .pth, .pth.tar, .pt, .bin, .safetensors, or a folder with a text file `checkpoint`.
    name
        What to call it; without it, its network's name. The name of a network takes only that network.
    """
    from dyad.models.checkpoints import import_original
    from dyad.models.weights import WeightsError

    try:
        path, checkpoint = import_original(file, name=name)
    except WeightsError as error:
        raise BadInput(str(error)) from error
    count = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    if json:
        facts = {"name": path.stem, "network": checkpoint.network, "parameters": count, "path": str(path)}
        print_line(dumps({**facts, "naming": checkpoint.about["naming"]}))
    else:
        names = checkpoint.about["naming"]
        print_line(f"{path.stem}: {checkpoint.network}, {count:,} numbers, names of {names}; kept in {path}")


@weights_app.command(name="verify")
def weights_verify() -> None:
    """Check every file of weights: those that are fetched against their hashes, those imported by building them."""
    from dyad.models.checkpoints import Checkpoint, shipped, stored
    from dyad.models.weights import WeightsError, list_weights

    entries, damaged = list_weights(), []
    for entry in entries:
        print_line(f"{entry.state:8} {entry.file}")
    for name, path in {**shipped(), **stored()}.items():
        try:
            Checkpoint.load(path).build()
            print_line(f"present  {name}")
        except WeightsError as error:
            damaged.append(name)
            print_line(f"damaged  {name}: {error}")
    wrong = sum(not entry.present for entry in entries)
    if wrong:
        raise MissingWeights(f"{wrong} files are absent or damaged; fetch them with: dyad weights pull blazepose")
    if damaged:
        raise MissingWeights(f"weights are damaged, import them or install Dyad again: {', '.join(damaged)}")


@weights_app.command(name="card")
def weights_card(name: str, /) -> None:
    """What is known about a network's weights, as JSON: recipe, command, data, hardware, scores, licence.

    Parameters
    ----------
    name
        Of shipped or imported weights, or a file of them.
    """
    from dyad.models.checkpoints import Checkpoint, find_weights
    from dyad.models.weights import WeightsError

    try:
        checkpoint = Checkpoint.load(find_weights(name))
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    count = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    facts = {"network": checkpoint.network, "arguments": checkpoint.arguments, "parameters": count}
    print_line(dumps({**facts, **checkpoint.about}, indent=2))
