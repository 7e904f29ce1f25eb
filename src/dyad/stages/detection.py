"""BlazePose as a detector of everyone in a video: found at key frames, followed forward and backward between them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.detections import Detections
from dyad.core.memory import give_back_memory
from dyad.core.skeleton import BLAZEPOSE33, BODY17
from dyad.core.tracks import Tracks
from dyad.core.video import Chunk, Video
from dyad.models.blazepose import BlazePoseDetector, BlazePoseLandmarks, Region
from dyad.models.blazepose_heads import BlazePoseFinder, SideBySide
from dyad.stages.appearance import describe
from dyad.stages.erasing import erase
from dyad.stages.placing import place_people
from dyad.stages.proposals import Proposals, Proposer
from dyad.stages.regions import MIRROR_LIMIT, People, RegionReader
from dyad.stages.suppression import pose_likeness, same_body, settle_claims, suppress

# Someone followed from the neighbouring frame needs less proof than someone new.
_FOLLOW_LIMIT = 2.0 * MIRROR_LIMIT
_LOWEST_SCORE = 0.5
_LOWEST_BEHIND = 0.75
# Of whom the heads tell: least score of the landmarks, and how far the joints of heads and landmarks may be apart. On
# 48 rendered stills with 190 people that no training saw they add 20 people and 1 who is none to 77 and 7.
_LOWEST_TOLD = 0.65
_MOST_APART = 0.15
_TOLD_JOINTS = tuple(
    f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)
# Centres closer than this share of the larger region's side are of one person.
_ABOUT = 0.1
_LOWEST_FOLLOWED = 0.1
# s for which someone who was lost from sight is looked for where he was.
_PATIENCE = 0.8
_CHUNK_BYTES = 96_000_000


@dataclass
class _Stretch:
    """The frames between two key frames and who was found in each."""

    chunk: Chunk
    images: Tensor
    people: list[People]


class BlazePose:
    """Everyone in every frame, with 33 landmarks in the image and in metres.

    At key frames people are proposed over a pyramid of sizes; each proposal is read twice or thrice and must agree with
    its own mirror image. Between key frames people are followed by the regions that their landmarks give, forward, and
    backward from where they were first found. Needs no more memory for a longer video.

    Args:
        detector, landmarks: the two networks; the detector may have heads that find small and crowded people.
        device: where they run.
        key_interval: s between key frames.
        thorough: look at more sizes and at tiles, three times as often; costs time, finds small and crowded people.
        max_people: most people in a frame, or None.
    """

    def __init__(
        self,
        detector: BlazePoseDetector | BlazePoseFinder | SideBySide,
        landmarks: BlazePoseLandmarks,
        *,
        device: torch.device | str = "cpu",
        key_interval: float = 0.5,
        thorough: bool = False,
        max_people: int | None = None,
    ) -> None:
        device = torch.device(device)
        sizes = (224, 320, 448, 640, 896, 1280, 1792) if thorough else (224, 320, 448, 640, 896)
        self.propose = Proposer(detector, device=device, sizes=sizes, tiles=thorough, most=48 if thorough else 24)
        self.read = RegionReader(landmarks, device=device)
        self.key_interval = key_interval / 3 if thorough else key_interval
        self.max_people = max_people

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterator[Detections]:
        """Detections of every frame in order, xyz in the camera frame in metres."""
        held: _Stretch | None = None
        active, misses = People.none(), torch.zeros(0)
        for chunk in video.chunks(self._stride(video)):
            now = _Stretch(chunk, torch.from_numpy(chunk.images).permute(0, 3, 1, 2), [])
            for k in range(len(chunk.indices)):
                if chunk.cut[k]:
                    active, misses = People.none(), torch.zeros(0)
                tracked, lost = self._follow(now.images, k, active, misses, chunk, held)
                if k == 0 or chunk.cut[k]:
                    found = self._search(now.images[k], tracked)
                    if held is not None and not chunk.cut[k]:
                        self._backward(held, len(held.people) - 1, found)
                    tracked = self._limit(People.join([tracked, found]))
                now.people.append(tracked)
                active, misses = self._carry(tracked, lost)
            if held is not None:
                yield from self._emit(held, video.camera)
            held = now
            give_back_memory()
        if held is not None:
            last = len(held.people) - 1
            if last > 0 and not held.chunk.cut[last]:
                found = self._search(held.images[last], held.people[last])
                held.people[last] = self._limit(People.join([held.people[last], found]))
                self._backward(held, last - 1, found)
            yield from self._emit(held, video.camera)

    def _stride(self, video: Video) -> int:
        """Frames between key frames: an interval in time, bounded by the memory that two stretches may take."""
        frame_bytes = max(1, 3 * video.size[0] * video.size[1])
        return max(1, min(round(self.key_interval * video.fps), _CHUNK_BYTES // frame_bytes))

    def _search(self, image: Tensor, known: People) -> People:
        """People in an image whom `known` lacks, verified; those whom all these had hidden or outshone; then those of
        whom the heads tell."""
        proposed = self.propose(image)
        new = self._verified(image, proposed[~proposed.told].region, known)
        everyone = People.join([known, new])
        if len(everyone):
            erased = erase(image, everyone)
            left = self.propose(erased.image, everyone.span, heads=False)
            behind = erased.distrust(self._verified(erased.image, left.region, everyone))
            # What is left of a painted body can look like another: they need more proof, and joints outside the paint.
            behind = behind[(behind.score > _LOWEST_BEHIND) & (behind.seen.mean(1) > 0.3)]
            new, everyone = People.join([new, behind]), People.join([everyone, behind])
        # Last, so that nobody whom the detector finds alone is found otherwise because of what the heads tell.
        told = proposed[proposed.told & _unknown(proposed.region, everyone)]
        more = self._verified(image, told.region, everyone)
        return People.join([new, more[self._as_told(more, told)]])

    def _verified(self, image: Tensor, region: Region, known: People) -> People:
        """People whom `known` lacks, found in regions of an image and alike in the mirror."""
        first = self.read(image[None], torch.zeros(len(region.side), dtype=torch.int64), region, mirror=False)
        first = first[(first.score > 0.3) & _sane(first)]
        first = first[suppress(first)] if len(first) else first
        if len(known):
            first = first[~same_body(first, known).any(1)]
        second = self.read(image[None], torch.zeros(len(first), dtype=torch.int64), first.next_region)
        second = second[(second.score > 0.1) & _sane(second)]
        third = self.read(image[None], torch.zeros(len(second), dtype=torch.int64), second.next_region)
        # Beside another person a further pass can slip over to him: the pass that agrees best with its mirror counts.
        best = People.join([second, third])[_better(second, third)]
        best = best[(best.disagreement < MIRROR_LIMIT) & (best.score > _LOWEST_SCORE) & _sane(best)]
        new = best[~same_body(best, known).any(1)] if len(known) else best
        return new[suppress(new)]

    def _as_told(self, people: People, told: Proposals) -> Tensor:
        """Which people (N,) are what the heads tell of: two who know nothing of each other say the same of a body."""
        if not len(people) or not len(told):
            return torch.zeros(len(people), dtype=torch.bool)
        return (people.score > _LOWEST_TOLD) & (agreement(people, told) < _MOST_APART)

    def _follow(
        self, images: Tensor, k: int, active: People, misses: Tensor, chunk: Chunk, held: _Stretch | None
    ) -> tuple[People, tuple[People, Tensor]]:
        """The active people in frame k, and those not found there with the seconds for which they were missed."""
        if not len(active):
            return active, (active, misses)
        step = self._step(chunk, k, held)
        passes = _passes(step)
        found = self._look_again(images[k], active.next_region, passes)
        good = self._believable(found, active)
        # Of two drawn to one body, the one who moved least from where he was is right about it.
        stayed = pose_likeness(found, active, width=0.15).diagonal()
        keep = torch.nonzero(good)[:, 0]
        keep = keep[suppress(found[keep], found.score[keep] * stayed[keep], known=True)]
        # Of two with one head or trunk, the other has at best the limbs of his own body.
        apart = suppress(found[keep], found.score[keep] * stayed[keep])
        sure = keep[apart]
        seen, waiting, doubted = found[sure], *torch.ones(2, len(active), dtype=torch.bool)
        waiting[sure] = False
        doubted[:] = waiting & torch.isin(torch.arange(len(active)), keep)
        lost = torch.nonzero(waiting & _beside(active, seen))[:, 0]
        if len(lost):
            # Someone else's body may have drawn them away: look again with everyone else painted over.
            erased = erase(images[k], seen)
            again = erased.distrust(self._look_again(erased.image, active[lost].next_region, passes))
            better = self._believable(again, active[lost]) & ~same_body(again, seen).any(1)
            better &= ~doubted[lost] | (again.score > found.score[lost])
            again, lost = again[better], lost[better]
            apart = suppress(again)
            seen, lost = People.join([seen, again[apart]]), lost[apart]
            waiting[lost] = doubted[lost] = False
        seen = People.join([seen, found[doubted]])
        waiting &= ~doubted & (misses + step < _PATIENCE)
        return seen, (active[waiting], (misses + step)[waiting])

    def _believable(self, found: People, before: People) -> Tensor:
        """Whether people who were followed are still there."""
        good = (found.disagreement < _FOLLOW_LIMIT) & (found.score > _LOWEST_FOLLOWED) & _sane(found)
        return good & _near(found, before)

    def _look_again(self, image: Tensor, region: Region, passes: int) -> People:
        index = torch.zeros(len(region.side), dtype=torch.int64)
        for _ in range(passes - 1):
            region = self.read(image[None], index, region, mirror=False).next_region
        return self.read(image[None], index, region)

    def _backward(self, stretch: _Stretch, start: int, people: People) -> None:
        """Follow people from the frame after `start` back through a stretch, until lost or met by someone known."""
        for k in range(start, -1, -1):
            if not len(people):
                return
            after = stretch.chunk.times[k + 1 : k + 2]
            step = float(after[0] - stretch.chunk.times[k]) if len(after) else 0.0
            found = self._look_again(stretch.images[k], people.next_region, _passes(step))
            good = self._believable(found, people)
            if len(stretch.people[k]):
                good &= ~same_body(found, stretch.people[k]).any(1)
            people = found[good]
            if len(people):
                people = people[suppress(people)]
                stretch.people[k] = self._limit(People.join([stretch.people[k], people]))
            if stretch.chunk.cut[k]:
                return

    def _carry(self, tracked: People, lost: tuple[People, Tensor]) -> tuple[People, Tensor]:
        """Whom to look for in the next frame: those found now and those waited for, unless found as someone else."""
        waiting, misses = lost
        if len(waiting) and len(tracked):
            free = ~same_body(waiting, tracked).any(1)
            waiting, misses = waiting[free], misses[free]
        return People.join([tracked, waiting]), torch.cat((torch.zeros(len(tracked)), misses))

    def _limit(self, people: People) -> People:
        if self.max_people is None or len(people) <= self.max_people:
            return people
        return people[torch.argsort(people.score * people.span, descending=True)[: self.max_people]]

    def _step(self, chunk: Chunk, k: int, held: _Stretch | None) -> float:
        before = chunk.times[k - 1] if k else (held.chunk.times[-1] if held is not None else chunk.times[0])
        return float(chunk.times[k] - before)

    def _emit(self, stretch: _Stretch, camera: Camera) -> Iterator[Detections]:
        for k, people in enumerate(stretch.people):
            people = replace(people, seen=settle_claims(people))
            yield Detections(
                frame=int(stretch.chunk.indices[k]),
                time=float(stretch.chunk.times[k]),
                boxes=_boxes(people),
                scores=people.score,
                xy=people.xy,
                confidence=people.seen,
                skeleton=BLAZEPOSE33,
                xyz=place_people(people.world, people.xy, people.seen, people.hips, camera),
                appearance=describe(stretch.images[k], people.xy),
                cut=bool(stretch.chunk.cut[k]),
            )


def _unknown(region: Region, people: People) -> Tensor:
    """Which regions (N,) are about nobody of those known: another place or another size."""
    other = people.next_region
    size = torch.maximum(region.side[:, None], other.side[None]).clamp(min=1e-6)
    apart = torch.linalg.vector_norm(region.centre[:, None] - other.centre[None], dim=-1) / size
    ratio = torch.log(region.side[:, None].clamp(min=1e-6) / other.side[None].clamp(min=1e-6)).abs()
    return ~((apart < _ABOUT) & (ratio < 0.5)).any(1)


def agreement(people: People, told: Proposals) -> Tensor:
    """How far (N,) people are from the proposals of heads that come nearest: the median distance of twelve joints over
    the person's size."""
    joints = people.xy[:, BLAZEPOSE33.indices(*_TOLD_JOINTS)]
    apart = torch.linalg.vector_norm(joints[:, None] - told.xy[None, :, BODY17.indices(*_TOLD_JOINTS)], dim=-1)
    return apart.median(-1).values.amin(1) / people.span.clamp(min=1)


def _passes(step: float) -> int:
    """How often to read a person who had `step` s to move away from the region he is looked for in."""
    return 1 if step < 0.07 else 2


def _beside(people: People, others: People) -> Tensor:
    """Whether (N,) the region in which each is looked for meets the body of any of the others."""
    if not len(others):
        return torch.zeros(len(people), dtype=torch.bool)
    half = (0.5 * people.next_region.side)[:, None, None]
    inside = (others.xy[None] - people.hips[:, None, None]).abs().amax(-1) < half
    return (inside.float().mean(-1) > 0.2).any(1)


def _better(first: People, second: People) -> Tensor:
    """For each of N people read twice, which row of both reads joined is better."""
    count = torch.arange(len(first))
    return torch.where(second.score >= first.score, count + len(first), count)


def _sane(people: People) -> Tensor:
    """Poses of some size, in numbers that are finite."""
    size = torch.linalg.vector_norm(people.rim - people.hips, dim=-1)
    return torch.isfinite(people.xy).all(-1).all(-1) & (people.span > 8) & (size > 4)


def _near(found: People, before: People) -> Tensor:
    """Found where it was looked for: neither far from the last region nor of another size."""
    moved = torch.linalg.vector_norm(found.hips - before.hips, dim=-1)
    now = torch.linalg.vector_norm(found.rim - found.hips, dim=-1)
    then = torch.linalg.vector_norm(before.rim - before.hips, dim=-1).clamp(min=1)
    return (moved < 0.6 * then) & (torch.log(now / then).abs() < 0.5)


def _boxes(people: People) -> Tensor:
    """Boxes (N, 4) round all landmarks, widened by a tenth for what landmarks do not reach."""
    low, high = (people.xy.amin(1), people.xy.amax(1)) if len(people) else (torch.zeros(0, 2), torch.zeros(0, 2))
    margin = 0.05 * (high - low)
    return torch.cat((low - margin, high + margin), -1)
