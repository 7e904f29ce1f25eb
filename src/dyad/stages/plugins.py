"""Parts that come from outside: a detector, a tracker or a lifter that an option names."""

import sys
from collections.abc import Callable
from importlib import import_module, metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from zlib import crc32

from dyad.core.errors import BadUsage, one_line

Kind = Literal["detector", "tracker", "lifter"]
KINDS: tuple[Kind, ...] = ("detector", "tracker", "lifter")


def load_plugin(kind: Kind, name: str) -> Callable[..., Any]:
    """The part that a name stands for.

    A name is `package.module:Object`, `path/to/file.py:Object`, or the name under which an installed package offers it
    in the entry points `dyad.detectors`, `dyad.trackers` or `dyad.lifters`. A class is made without arguments; anything
    else that can be called is taken as it is. What is named is run: name nothing that you do not trust.

    Raises BadUsage where there is no such part, where importing or making it fails, or where it cannot be called.
    """
    if ":" in name:
        part = _named(kind, name)
    else:
        entries = metadata.entry_points(group=f"dyad.{kind}s")
        if name not in entries.names:
            known = ", ".join(sorted(entries.names)) or "none"
            raise BadUsage(
                f"there is no {kind} {name!r}; installed plug-ins: {known}; or name one of your own as "
                f"package.module:Object or file.py:Object"
            )
        with _telling(kind, name):
            part = entries[name].load()
    with _telling(kind, name):
        made = part() if isinstance(part, type) else part
    if not callable(made):
        raise BadUsage(
            f"the {kind} {name!r} is of the type {type(made).__name__}, which cannot be called; see docs/plugins.md"
        )
    return made


def plugin_names(kind: Kind) -> list[str]:
    """What installed packages offer; nothing is imported."""
    return sorted(metadata.entry_points(group=f"dyad.{kind}s").names)


def _named(kind: Kind, name: str) -> Any:
    # The last colon: a path on Windows may have another one before it.
    place, _, thing = name.rpartition(":")
    with _telling(kind, name):
        part: Any = _of_file(Path(place)) if place.endswith(".py") else import_module(place)
        for word in thing.split("."):
            part = getattr(part, word)
    return part


def _of_file(path: Path) -> ModuleType:
    """A file as a module, which is not found by its name afterwards but by what is defined in it."""
    # Files of one name in two folders are two modules.
    name = f"dyad_plugin_{path.stem}_{crc32(str(path.resolve()).encode()):08x}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    module = module_from_spec(spec)
    # Dataclasses look their module up while they are defined.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class _telling:
    """Whatever the code of somebody else raises while it is loaded, in one sentence."""

    def __init__(self, kind: Kind, name: str) -> None:
        self.kind, self.name = kind, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, BadUsage):
            what = f"{type(error).__name__}: {one_line(error)}"
            raise BadUsage(f"the {self.kind} {self.name!r} could not be loaded ({what})") from error
