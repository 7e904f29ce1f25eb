"""AlphaPose's `alphapose-results.json`: a list of people with the name of their image.

The format: https://github.com/MVIG-SJTU/AlphaPose/blob/master/docs/output.md. `score` adds up several things and goes
beyond 1, so the mean of the joints' own scores takes its place. `idx` is an identity where AlphaPose tracked.
"""

from dyad.core.errors import BadInput
from dyad.estimates.contents import Contents, Json, trailing_number, whole
from dyad.estimates.sheet import Rows, Sheet, corners, entries, triples
from dyad.estimates.skeletons import of_count


def fits(contents: Contents) -> bool:
    """Whether this is a JSON list of people with the names of their images."""
    value = contents.value if isinstance(contents, Json) else None
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    first = value[0]
    named = isinstance(first.get("image_id"), str) or "idx" in first or "box" in first
    return "keypoints" in first and "image_id" in first and named


def read(contents: Contents, size: tuple[int, int]) -> Sheet:
    """Everyone in the list. BadInput where it is not AlphaPose's, or names joints that are not known."""
    if not isinstance(contents, Json):
        raise BadInput(f"{contents.path} is no JSON file, expected alphapose-results.json")
    people = entries(contents.value, f"{contents.path}")
    number = frame_numbers([entry.get("image_id") for entry in people], f"{contents.path}")
    rows: Rows | None = None
    for at, entry in enumerate(people):
        what = f"{contents.path}, person {at},"
        points = triples(entry.get("keypoints"), f"{what} keypoints,")
        skeleton = of_count(len(points), what)
        rows = rows or Rows(skeleton)
        if skeleton is not rows.skeleton:
            raise BadInput(f"{what} has {len(points)} joints, others have another number")
        identity = entry.get("idx")
        rows.add(
            number[at],
            points[: len(skeleton)],
            person=None if identity is None else whole(identity, f"{what} idx,", high=1 << 53),
            box=corners(entry["box"], f"{what} box,") if entry.get("box") else None,
        )
    if rows is None:
        raise BadInput(f"{contents.path} lists nobody, and so does not tell of which joints")
    return rows.sheet()


def frame_numbers(images: list[object], what: str) -> list[int]:
    """The frame of each image: the image's number, the last number in its name, or its place among names without.

    BadInput, which says of `what`, where names share a number.
    """
    if all(isinstance(image, str) for image in images):
        names = sorted({str(image) for image in images})
        found = {name: trailing_number(name) for name in names}
        if any(number is None for number in found.values()):
            places = {name: place for place, name in enumerate(names)}
            return [places[str(image)] for image in images]
        if len(set(found.values())) < len(found):
            raise BadInput(f"{what} is of images that share a number, such as {names[:3]}: it is not of one video")
        return [whole(found[str(image)], f"{what}, the number of {image!s:.60},") for image in images]
    return [whole(image, f"{what}, image_id {at},") for at, image in enumerate(images)]
