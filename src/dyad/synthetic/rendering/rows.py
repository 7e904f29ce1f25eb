"""Slots of the row of numbers that describes a look or a material to the kernels; the one place that knows them."""

from dyad.synthetic.bodies.body import PARTS
from dyad.synthetic.rendering.patterns import FABRIC

KIND_MATERIAL, KIND_LOOK = 0, 1

# Material: a fabric, and a picture's place in the texels.
KIND = 0
SMOOTH = 1
MATERIAL = 2
PICTURE_FIRST = MATERIAL + FABRIC
PICTURE_HEIGHT = PICTURE_FIRST + 1
PICTURE_WIDTH = PICTURE_FIRST + 2
PICTURE_DENSITY = PICTURE_FIRST + 3

# Look.
SHIRT = 2
TROUSERS = SHIRT + FABRIC
SHOES = TROUSERS + FABRIC
HAT = SHOES + FABRIC
SKIN = HAT + FABRIC
LIPS = SKIN + 3
HAIR = LIPS + 3
IRIS = HAIR + 3
UNDER = IRIS + 3
TRIM = UNDER + 3
BELT = TRIM + 3
SOCKS = BELT + 3
SOLE = SOCKS + 3
SLEEVE = SOLE + 3
HEM = SLEEVE + 1
WAIST = HEM + 1
LEG = WAIST + 1
SHAFT = LEG + 1
NECK_DROP = SHAFT + 1
COLLAR = NECK_DROP + 1
OPEN = COLLAR + 1
BUTTONS = OPEN + 1
HAIR_STYLE = BUTTONS + 1
HAIR_LINE = HAIR_STYLE + 1
BEARD = HAIR_LINE + 1
FOLDS = BEARD + 1
LOOK_SEED = FOLDS + 1
BLUSH = LOOK_SEED + 1
WIDTH = BLUSH + 1

# How hair or what hides it is worn.
BALD, SHORT, MEDIUM, LONG, CAP, SCARF = range(6)

HEAD, SCALP, EYES, MOUTH, NECK, TORSO, HIPS = (
    PARTS.index(name) for name in ("head", "hair", "eyes", "mouth", "neck", "torso", "hips")
)
HAND_LEFT, HAND_RIGHT = PARTS.index("left_hand"), PARTS.index("right_hand")
FOREARM_LEFT, FOREARM_RIGHT = PARTS.index("left_forearm"), PARTS.index("right_forearm")
UPPER_LEFT, UPPER_RIGHT = PARTS.index("left_upper_arm"), PARTS.index("right_upper_arm")
