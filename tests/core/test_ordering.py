from pathlib import Path

import numpy as np

from dyad.core.ordering import natural


def test_numbers_count_and_capitals_do_not() -> None:
    names = ["7", "a", "A2", "a9", "a10", "a10b", "a\u00b2", "b", f"b{'9' * 200}", "frame_2.png", "frame_10.png"]
    mixed = [Path("folder") / names[i] for i in np.random.default_rng(0).permutation(len(names))]
    assert [path.name for path in sorted(mixed, key=natural)] == names


def test_equal_but_for_capitals_has_one_order_all_the_same() -> None:
    assert sorted([Path("x1"), Path("X1")], key=natural) == sorted([Path("X1"), Path("x1")], key=natural)
