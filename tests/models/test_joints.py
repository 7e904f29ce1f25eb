"""Names of joints in `models` are those of core's skeletons."""

import pytest

from dyad.core.skeleton import BODY17 as BODY17_OF_CORE
from dyad.core.skeleton import COCO17 as COCO17_OF_CORE
from dyad.core.skeleton import MUPOTS17 as MUPOTS17_OF_CORE
from dyad.models.joints import (
    BODY17,
    COCO17,
    COCO17_TRUNK_OUT,
    MUPOTS17,
    MUPOTS17_OF_BODY17,
    TB14,
    TB14_TRUNK_OUT,
    mirrored,
    positions,
)


@pytest.mark.parametrize(
    ("names", "skeleton"), [(BODY17, BODY17_OF_CORE), (COCO17, COCO17_OF_CORE), (MUPOTS17, MUPOTS17_OF_CORE)]
)
def test_names_are_those_of_core(names, skeleton) -> None:
    assert names == skeleton.names
    assert mirrored(names) == list(skeleton.mirror)


def test_orders_hold_the_same_names() -> None:
    assert sorted(COCO17_TRUNK_OUT) == sorted(COCO17)
    assert sorted(TB14_TRUNK_OUT) == sorted(TB14)
    assert set(MUPOTS17_OF_BODY17) == set(BODY17)


def test_mirroring_twice_changes_nothing_and_unknown_names_are_refused() -> None:
    partner = mirrored(TB14)
    assert [partner[k] for k in partner] == list(range(len(TB14)))
    assert TB14[partner[TB14.index("left_knee")]] == "right_knee"
    with pytest.raises(ValueError, match="tail"):
        positions(["tail"], BODY17)
