from pathlib import Path

import pytest

from dyad.models.weights import WeightsError, find_blazepose, pull_blazepose


@pytest.fixture(scope="session")
def blazepose_folder() -> Path:
    """The folder with BlazePose's files, fetched once into the user's cache; tests skip where they cannot be had."""
    try:
        return find_blazepose() or pull_blazepose()
    except WeightsError as error:
        pytest.skip(f"BlazePose's weights are not at hand: {error}")
