"""What a run depends on, as keys: so that one that was killed goes on, and another one is not taken for it."""

import json
import logging
import shutil
from dataclasses import dataclass, fields, is_dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from dyad import __version__
from dyad.core.errors import BadUsage
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.models.checkpoints import shipped
from dyad.models.weights import list_weights
from dyad.refinement.inputs import digest_of
from dyad.refinement.stage_files import described, digest
from dyad.stages.flow import FileFlow, NetworkFlow
from dyad.stages.pieces import Shelf

log = logging.getLogger(__name__)

STAGES = ".dyad-stages"
"""Folder inside the output where stages lie until the run is done."""
# What a killed process may leave there besides: files that are not whole, which start with a dot.
_PARTIAL = (".dyad-*", *(f".{name}-*" for name in ("tracks", "overlay", "report", "run", "video")))
_OF_NETWORKS = ("iterations", "padding", "batch", "half", "warm", "device")


@dataclass(frozen=True)
class Resuming:
    """How a run into a folder may go on where another one was killed.

    Attributes:
        folder: the run's output.
        found: stands for all that detections depend on: the video's content, the camera, the detector, its weights.
        whole: stands for all that the result depends on.
    """

    folder: Path
    found: str
    whole: str

    @property
    def stages(self) -> Path:
        return self.folder / STAGES

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.stages, self.found)

    def begin(self, *, resume: bool) -> None:
        """Clear what does not belong to this run; without `resume` also what does."""
        kept = sorted(self.stages.glob("found-*.npz"))
        if not resume:
            shutil.rmtree(self.stages, ignore_errors=True)
            return
        own = [path for path in kept if path.name.startswith(f"found-{self.found[:16]}-")]
        if own:
            log.warning("Going on after %d pieces that were kept in %s.", len(own), self.folder)
        elif kept or (self.folder / "run.json").is_file():
            log.warning(
                "%s holds a run of another video, or with other options, threads, weights or versions: starting anew.",
                self.folder,
            )
        for path in set(kept) - set(own):
            path.unlink(missing_ok=True)
        for path in (path for pattern in _PARTIAL for path in self.folder.glob(pattern) if path != self.stages):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def end(self) -> None:
        shutil.rmtree(self.stages, ignore_errors=True)


def resuming(
    folder: Path, source: Any, video: Video, *, finding: dict[str, Any], rest: dict[str, Any], asked: bool
) -> Resuming | None:
    """The keys of a run; None where its input is known only by reading it all, and nobody `asked` for that.

    Args:
        source: path, array or `Video`; video: the same, opened.
        finding: options on which detections depend, `detector` and `weights` among them. rest: all others.

    Raises BadUsage where parts are objects of which nobody can say whether they are those of another run.
    """
    known = source is not video and not video.live
    nameless = [name for name, part in {**finding, **rest}.items() if _told(part) is None]
    if not asked and (nameless or not known):
        return None
    if video.live:
        raise BadUsage("a live stream does not come a second time: leave out --resume")
    if nameless:
        raise _nameless(nameless[0])
    camera = json.dumps(video.camera.to_json())
    facts = [*_versions(), digest_of(source), camera, video.selection, video.fps]
    found = digest(*facts, *_facts(finding), *_weights(finding), *_programs(finding))
    # Later stages read networks that come with Dyad.
    return Resuming(folder, found, digest(found, *_facts(rest), *_programs(rest), *shipped().values()))


def refining(source: Any, tracks: Tracks, refinement: Any, *, asked: bool) -> str:
    """The key of tracks that are refined, by the same rule; empty where nobody can say by whose flow, nor `asked`.

    Args:
        source: the video's path, array or `Video`.
        refinement: a dataclass of whose flow it is and of what is done with it.

    Raises BadUsage where somebody asked.
    """
    told = _told(refinement)
    if told is None:
        if asked:
            raise _nameless("flow")
        return ""
    return digest(*_versions(), digest_of(source), digest_of(tracks), *told)


def _versions() -> tuple[str, str, int]:
    # With another number of threads networks add in another order: joints differ in single pixels.
    return __version__, torch.__version__, torch.get_num_threads()


def _facts(options: dict[str, Any]) -> list[Any]:
    return [fact for name, part in sorted(options.items()) for fact in (name, *(_told(part) or ()))]


def _told(part: Any) -> list[Any] | None:
    """What stands for a part in every process, for a digest; None where nobody can tell it from another.

    Dataclasses are known by their fields, and flow estimators in them by the weights and settings of a network or the
    files of flow that others computed.
    """
    if isinstance(part, FileFlow):
        return _flow_files(part)
    if isinstance(part, NetworkFlow):
        weights = part.network.state_dict()
        return [*(f"{name} {getattr(part, name)}" for name in _OF_NETWORKS), *weights, *weights.values()]
    if part is None or isinstance(part, str | int | float | bool | tuple | PathLike):
        return [described(part)]
    if not is_dataclass(part):
        return None
    found: list[Any] = [type(part).__qualname__]
    for each in fields(part):
        value = getattr(part, each.name)
        found.append(each.name)
        if each.name not in ("estimator", "estimators"):
            found.append(described(value))
            continue
        inner = [_told(one) for one in (value if isinstance(value, tuple) else (value,))]
        if None in inner:
            return None
        found += [fact for facts in inner for fact in facts or ()]
    return found


def _flow_files(flow: FileFlow) -> list[Any]:
    """Frames, and files by place, size and time, or what lies in memory."""
    facts: list[Any] = [f"{frame} {where}" for frame, where in sorted(flow.files.items())]
    paths = {where for where in flow.files.values() if isinstance(where, Path)}
    if flow.several is not None and Path(flow.name).is_file():
        paths.add(Path(flow.name))
    elif flow.several is not None:
        facts += [part for part in (flow.several.uv, flow.several.valid, flow.several.occluded) if part is not None]
    stated = [(path.resolve(), path.stat()) for path in sorted(paths)]
    return [*facts, *(f"{path} {state.st_size} {state.st_mtime_ns}" for path, state in stated)]


def _nameless(name: str) -> BadUsage:
    return BadUsage(
        f"nobody can say whether the {name} is that of the run that is to be resumed: only parts that have names or "
        "are dataclasses can be told apart; leave out resume"
    )


def _weights(options: dict[str, Any]) -> list[Any]:
    """The content of all files that the detector reads."""
    detector, given = options["detector"], [Path(name) for name in options["weights"]]
    if detector == "blazepose":
        known = [f"{entry.file} {entry.sha256} {entry.state}" for entry in list_weights()]
        return [*known, *([shipped()["person-heads"]] if "person-heads" in shipped() else [])]
    files: list[Path] = []
    for path in given:
        files += sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [file for file in files if file.is_file()]


def _programs(options: dict[str, Any]) -> list[Path]:
    """Plug-ins that are files: they are what their files say."""
    places = [Path(part.rpartition(":")[0]) for part in options.values() if isinstance(part, str)]
    return [place for place in places if place.suffix == ".py" and place.is_file()]
