"""`dyad integrate`: two or more estimates of the people in a video made into one."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from dyad.cli.console import ERR, Json, Out, Threads, dumps, print_line, use_threads

_Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def integrate_command(
    *estimates: Path,
    output: Out,
    how: Literal["learned", "linear", "hard"] = "learned",
    roles: str = "any",
    matching: Literal["pose", "root", "ids"] = "pose",
    weights: str = "integration",
    plausibility: _Flag = False,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Integrate poses in 3D from several estimators; OUT gets tracks.npz, with the ids of the first.

    Parameters
    ----------
    estimates
        Two or more: tracks.npz, or folders of runs, of the same video.
    how
        learned: a network judges, joint by joint; linear: the mean by confidence; hard: the first one's poses at the
        distances that the second one gives.
    roles
        What each estimate is, with commas: top-down, bottom-up or any; the last counts for those that follow.
    matching
        Who is who: pose, by similarity in space over time; root, by the nearest hips in the image; ids, as they say.
    weights
        Of the network, by name or file.
    plausibility
        Also judge people who are near one another: how natural they are together, and how deep they reach into each
        other.
    """
    from dyad.core.errors import BadUsage
    from dyad.core.tracks import Tracks
    from dyad.stages.association import PoseMatching, RootMatching
    from dyad.stages.integration import Hard, Integration, Learned, Linear
    from dyad.stages.plausibility import Plausibility, summary

    use_threads(threads)
    if len(estimates) < 2:
        raise BadUsage(f"dyad integrate takes two estimates or more, got {len(estimates)}")
    rule: Any
    if how == "learned":
        rule = Learned.load(weights, roles=[role.strip() for role in roles.split(",")])
    else:
        rule = Linear() if how == "linear" else Hard()
    who: Any = {"pose": PoseMatching(), "root": RootMatching(), "ids": None}[matching]
    tracks = Integration(rule, who)(*(Tracks.load(path) for path in estimates))
    output.mkdir(parents=True, exist_ok=True)
    tracks.save(output / "tracks.npz")
    facts: dict[str, Any] = {
        "tracks": str(output / "tracks.npz"),
        "people": len(tracks.people),
        "rows": len(tracks),
        "how": how,
    }
    if plausibility:
        facts["plausibility"] = summary(Plausibility.load()(tracks))
    if json:
        print_line(dumps(facts))
        return
    ERR.print(f"{facts['people']} people, {facts['rows']} person-frames from {len(estimates)} estimates", markup=False)
    for name, value in facts.get("plausibility", {}).items():
        ERR.print(f"{name:>16}  {value}", markup=False)
    print_line(facts["tracks"])
