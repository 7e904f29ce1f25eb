"""From two finished runs to the page that compares them."""

from pathlib import Path

from dyad.viewer.comparison import Comparison, compare
from dyad.viewer.finished import Finished, finished
from dyad.viewer.report import EMBED_LIMIT, write_comparison


def compare_runs(
    first: str | Path,
    second: str | Path,
    page: str | Path,
    *,
    names: tuple[str, str] | None = None,
    embed_limit: int = EMBED_LIMIT,
) -> Comparison:
    """Write the page that shows two runs on one video, and return what was compared.

    Args:
        first, second: folders of runs, or tracks files. The clip is the first's, or the second's where that has none
            and both processed the same frames.
        names: what to call them; by default their folders' names.

    Raises:
        BadInput: there are no tracks, or the runs are not of one video.
    """
    a, b = finished(first), finished(second)
    comparison = compare(a.tracks, b.tracks)
    called = names or _names(a, b)
    same = a.tracks.frames.tolist() == b.tracks.frames.tolist()
    with a.clip() as clip, b.clip() as other:
        shown = clip or (other if same else None)
        write_comparison(
            page,
            comparison,
            names=called,
            video=shown,
            runs=(a.account, b.account),
            notes=_notes(a, b, comparison),
            embed_limit=embed_limit,
        )
    return comparison


def _names(first: Finished, second: Finished) -> tuple[str, str]:
    if first.name != second.name:
        return first.name, second.name
    parents = tuple(run.place.resolve().parent.name for run in (first, second))
    if parents[0] != parents[1]:
        return f"{parents[0]}/{first.name}", f"{parents[1]}/{second.name}"
    return str(first.place), str(second.place)


def _notes(first: Finished, second: Finished, comparison: Comparison) -> list[str]:
    """What may mislead who compares these two."""
    notes = []
    a, b = comparison.first, comparison.second
    if first.tracks.video != second.tracks.video:
        notes.append(
            f"The runs name different videos, {first.tracks.video or 'none'} and {second.tracks.video or 'none'}: the "
            "comparison holds only if these show the same."
        )
    focal = [float(tracks.camera.focal[0]) for tracks in (a, b)]
    if abs(focal[0] - focal[1]) > 0.005 * focal[0]:
        notes.append(
            f"The runs take different focal lengths, {focal[0]:.0f} and {focal[1]:.0f} px: people are then at "
            "different distances from the camera in the two."
        )
    if comparison.common < len(a.frames):
        notes.append(f"Only {comparison.common} of the {len(a.frames)} frames of the first run are in the second too.")
    if not comparison.matched:
        notes.append("Nobody was found in the same place of the image by both runs.")
    return notes
