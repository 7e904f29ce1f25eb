"""Letters of pictures."""

import numpy as np

from dyad.export.letters import letters


def test_letters_are_told_apart_and_stand_one_column_apart() -> None:
    every = "0123456789-.px "
    one_by_one = [letters(letter) for letter in every]
    assert {cells.shape for cells in one_by_one} == {(5, 3)}
    assert len({cells.tobytes() for cells in one_by_one}) == len(every)
    line = letters(every)
    assert line.shape == (5, 4 * len(every) - 1)
    assert not line[:, 3::4].any()
    assert np.array_equal(line[:, 4:7], letters("1"))


def test_one_looks_like_one() -> None:
    assert ["".join(".#"[int(cell)] for cell in row) for row in letters("1")] == [".#.", "##.", ".#.", ".#.", "###"]
