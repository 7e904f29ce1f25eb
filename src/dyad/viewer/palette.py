"""The colours of people: one place for the overlay and the page.

Okabe and Ito's set, which stays distinct under the common forms of colour blindness, in an order whose first members
also stand out from skin, grass, asphalt and snow. Ids are always written beside the colour.
"""

from collections.abc import Iterable

RGB = tuple[int, int, int]

COLOURS: tuple[RGB, ...] = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (0, 114, 178),  # blue
    (213, 94, 0),  # vermillion
    (240, 228, 66),  # yellow
)

# How a body's sides differ: share of the way to white (left) or to black (right), the same in the page's colour.js.
LEFT_LIGHTER = 0.42
RIGHT_DARKER = 0.32


def assign(people: Iterable[int]) -> dict[int, RGB]:
    """A colour for each person, by rank of the ids, so that the first seven never share one."""
    return {person: COLOURS[rank % len(COLOURS)] for rank, person in enumerate(sorted(set(people)))}


def hexadecimal(colour: RGB) -> str:
    """As CSS has it, such as #e69f00."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def side_of(joint: str) -> str:
    """`left`, `right` or `middle`, from a joint's name."""
    words = joint.split("_")
    return "left" if "left" in words else "right" if "right" in words else "middle"


def shade(colour: RGB, side: str) -> RGB:
    """The colour of a side of the body."""
    goal, share = {"left": (255, LEFT_LIGHTER), "right": (0, RIGHT_DARKER), "middle": (0, 0.0)}[side]
    red, green, blue = (round(value + (goal - value) * share) for value in colour)
    return red, green, blue


def ink_on(colour: RGB) -> RGB:
    """Black or white, whichever reads better on the colour."""
    red, green, blue = colour
    return (17, 17, 17) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
