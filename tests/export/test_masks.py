from pathlib import Path

import numpy as np
import pytest

from dyad.core.decoding import read_image
from dyad.core.errors import BadInput
from dyad.export.masks import png_of, write_mask


@pytest.mark.parametrize(("most", "kind", "bits"), [(255, np.uint8, 8), (9, np.int64, 8), (40_000, np.int32, 16)])
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (64, 3)])
def test_numbers_come_back(tmp_path: Path, most: int, kind: type, bits: int, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, most, shape, endpoint=True).astype(kind)
    image[-1, -1] = most
    path = tmp_path / "mask.png"
    write_mask(path, image)
    pillow = pytest.importorskip("PIL.Image")
    with pillow.open(path) as read:
        assert read.size == shape[::-1]
        assert read.mode == ("L" if bits == 8 else "I;16")
        np.testing.assert_array_equal(np.asarray(read), image)


def test_an_image_of_few_people_reads_as_grey(tmp_path: Path) -> None:
    image = np.arange(32, dtype=np.uint8).reshape(4, 8)
    write_mask(tmp_path / "mask.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "mask.png"), np.repeat(image[..., None], 3, -1))


def test_uint16_stays_deep_whatever_it_holds() -> None:
    assert png_of(np.zeros((2, 2), np.uint16))[24] == 16
    assert png_of(np.zeros((2, 2), np.uint8))[24] == 8


@pytest.mark.parametrize(
    "image",
    [
        np.full((2, 2), -1),
        np.full((2, 2), 65536),
        np.zeros((2, 2)),
        np.zeros((2, 2, 3), np.uint8),
        np.zeros((0, 2), int),
    ],
)
def test_what_no_png_holds_is_refused(image: np.ndarray) -> None:
    with pytest.raises(BadInput):
        png_of(image)
