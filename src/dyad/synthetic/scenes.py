"""People in their surroundings before a moving camera: pictures, and all that is true of each pixel and joint."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.errors import BadUsage
from dyad.core.flow import Flow, Lazy
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Tracks
from dyad.synthetic.actors import Performer
from dyad.synthetic.annotation import annotated
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.solids import turned
from dyad.synthetic.places.surroundings import Surroundings
from dyad.synthetic.rendering.lens import Lens
from dyad.synthetic.rendering.lighting import Light
from dyad.synthetic.rendering.render import Renderer, Rendering, Surface

if TYPE_CHECKING:
    from dyad.core.clip import Clip

_KEPT = 2
"""Frames before and after the last one asked for, of which meshes and z-buffers are kept."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene of T frames; the same scene gives the same bytes, in whatever order and however many threads.

    Attributes:
        actors: the people; each has at least T frames, and T + 1 where the last frame should have a flow, too.
        path: the camera in as many frames.
        surroundings, light: in the world. lens: what the camera does to the picture.
        fps: frames a second. frames: T. name: what the truth calls the video.
        samples: 2 draws smooth edges, 1 is faster. threads: to draw with.
    """

    actors: Sequence[Performer]
    path: CameraPath
    surroundings: Surroundings
    light: Light
    lens: Lens = field(default=Lens())
    fps: float = 30.0
    frames: int = 1
    name: str = "synthetic"
    samples: int = 2
    threads: int = 1
    _recent: dict = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= self._known:
            raise BadUsage(f"a scene of {self.frames} frames needs a camera and actors for as many, got {self._known}")
        if not self.fps > 0:
            raise BadUsage(f"a scene has a positive number of frames a second, got {self.fps}")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px."""
        return self.path.camera.size

    @property
    def times(self) -> NDArray[np.float64]:
        """(T,) s."""
        return np.arange(self.frames) / self.fps

    def render(self, frame: int) -> Rendering:
        """The picture before the lens, and the truth of its pixels; flow where there is a frame after it."""
        return self._drawn(self._checked(frame), frame + 1 if frame + 1 < self._known else None)

    def measured(self, frame: int) -> Rendering:
        """The truth of a frame's pixels alone, without picture and flow."""
        return self._drawn(self._checked(frame), None, shaded=False)

    def image(self, frame: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB as it comes out of the camera."""
        return self.photographed(self.render(frame), frame)

    def photographed(self, drawn: Rendering, frame: int) -> NDArray[np.uint8]:
        """What the camera makes of a rendering (H, W, 3)."""
        if drawn.image is None:
            raise BadUsage("a rendering without an image cannot be photographed")
        return self.lens(drawn.image, frame, flow=drawn.flow, depth=drawn.depth)

    def flow(self, frame: int) -> Flow:
        """Motion from a frame to the next, and which pixels the next does not show."""
        if not self._checked(frame) + 1 < self._known:
            raise BadUsage(f"frame {frame} of {self.name} is the last: there is no flow to a next one")
        return self._flow(frame, frame + 1)

    def backward(self, frame: int) -> Flow:
        """Motion from the frame after `frame` back to it."""
        return self._flow(self._checked(frame + 1), frame)

    def mask(self, frame: int) -> torch.Tensor:
        """(H, W) int64: p + 1 where person p is seen, 0 elsewhere."""
        identity = torch.from_numpy(self.measured(frame).identity.astype(np.int64))
        return torch.where(identity <= len(self.actors), identity, 0)

    def truth(self, skeleton: Skeleton = BODY17) -> Tracks:
        """Where everyone is, see `annotation.annotated`; draws every frame, to know what is hidden."""
        return annotated(self, skeleton)

    def clip(self, skeleton: Skeleton = BODY17) -> "Clip":
        """Video and truth; frames are drawn when they are asked for."""
        # Video needs the library that decodes files, which a machine that only trains may lack.
        from dyad.core.clip import Clip
        from dyad.core.video import Video
        from dyad.synthetic.footage import Footage

        footage = Footage(self)
        # What is drawn for the truth need not be drawn again for the video.
        truth = annotated(self, skeleton, lambda i, drawn: footage.keep(i, self.photographed(drawn, i)))
        return Clip(
            Video(footage, camera=self.path.camera),
            truth,
            flow=Lazy(self.frames - 1, self.flow),
            backward=Lazy(self.frames - 1, self.backward),
            masks=Lazy(self.frames, self.mask),
        )

    def with_(self, **changes: Any) -> "Scene":
        """A copy with some attributes replaced."""
        return replace(self, **changes)

    def vertices(self, actor: int, frame: int) -> NDArray:
        """Mesh (V, 3) m of an actor in the world."""
        return self._kept(("mesh", actor), frame, lambda: self.actors[actor].vertices(frame))

    def body(self, actor: int, frame: int) -> NDArray[np.float32]:
        """Mesh (V, 3) m of an actor in the camera axes of a frame."""
        return self._kept(("body", actor), frame, lambda: self._seen(self.vertices(actor, frame), frame))

    @property
    def _known(self) -> int:
        """Number of frames for which everyone's place is known."""
        return min([len(self.path), *(len(actor) for actor in self.actors)])

    def _checked(self, frame: int) -> int:
        if not 0 <= frame < self.frames:
            raise BadUsage(f"{self.name} has frames 0 to {self.frames - 1}, not {frame}")
        return frame

    def _kept(self, what: Hashable, frame: int, make: Callable[[], Any]) -> Any:
        """Something about a frame, made once while neighbouring frames are drawn."""
        cache = self._recent
        if (what, frame) not in cache:
            cache[what, frame] = make()
            for key in [key for key in cache if abs(key[1] - frame) > _KEPT]:
                del cache[key]
        return cache[what, frame]

    def _flow(self, frame: int, other: int) -> Flow:
        def make() -> Flow:
            drawn = self._drawn(frame, other, shaded=False)
            if drawn.flow is None:
                size = self.size[::-1]
                return Flow.from_numpy(np.zeros((*size, 2), np.float32), occluded=np.zeros(size, bool))
            return Flow.from_numpy(drawn.flow, occluded=drawn.occluded)

        return self._kept(("flow", other - frame), frame, make)

    def _drawn(self, frame: int, other: int | None, *, shaded: bool = True) -> Rendering:
        """A frame, with the flow to another if there is one."""
        path, camera = self.path, self.path.camera
        layers = self._recent
        now = layers.get(("layer", frame))
        after = None if other is None else layers.get(("layer", other))
        renderer = Renderer(self.size, samples=self.samples, threads=self.threads, shaded=shaded)
        heading = turned(self.surroundings.heading)
        drawn = renderer(
            self.surfaces(frame, other),
            camera.focal.numpy(),
            camera.centre.numpy(),
            light=self.light.turned(path.rotation[frame]),
            sky=self.surroundings.sky.turned(path.rotation[frame] @ heading),
            turn=None if other is None else path.turn(frame, other),
            now=now,
            after=after,
        )
        self._kept("layer", frame, lambda: drawn.layer)
        if other is not None and drawn.after is not None:
            self._kept("layer", other, lambda: drawn.after)
        return drawn

    def surfaces(self, frame: int, other: int | None = None) -> list[Surface]:
        """Everything in the camera axes of a frame, people first; with `other`, also where it is in that frame."""
        made = []
        for p, actor in enumerate(self.actors):
            made.append(
                Surface(
                    self.body(p, frame),
                    actor.faces,
                    actor.texture,
                    actor.look,
                    identity=p + 1,
                    part=actor.part,
                    later=None if other is None else self.body(p, other),
                    closed=True,
                )
            )
        things = self.surroundings.things
        if not things:
            return made
        points, starts = self._things
        here = self._seen(points, frame)
        moves = other is not None and not self.path.still
        there = self._seen(points, other) if moves and other is not None else None
        for thing, start, stop in zip(things, starts[:-1], starts[1:], strict=True):
            made.append(
                Surface(
                    here[start:stop],
                    thing.solid.faces,
                    thing.solid.texture,
                    thing.material,
                    identity=thing.identity,
                    later=None if there is None else there[start:stop],
                    casts_shadow=thing.casts_shadow,
                    closed=thing.solid.closed,
                )
            )
        return made

    @cached_property
    def _things(self) -> tuple[NDArray[np.float64], list[int]]:
        """All points of what stands still, and where each thing's begin."""
        solids = [thing.solid for thing in self.surroundings.things]
        return np.concatenate([s.points for s in solids]), np.cumsum([0, *(len(s.points) for s in solids)]).tolist()

    def _seen(self, points: NDArray, frame: int) -> NDArray[np.float32]:
        """World points (V, 3) in the camera axes of a frame."""
        return self.path.to_camera(points, frame).astype(np.float32)
