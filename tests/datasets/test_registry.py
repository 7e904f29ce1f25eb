import re
from pathlib import Path

import pytest

from dyad.core.errors import BadInput, BadUsage
from dyad.datasets import READERS, read_dataset


def test_an_unknown_name_is_said_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="no reader of 'coconut'; there are 3dpw"):
        read_dataset("coconut", tmp_path)


@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_says_that_a_folder_holds_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=re.escape(str(tmp_path))):
        list(read_dataset(name, tmp_path))
    with pytest.raises(BadInput):
        list(read_dataset(name, tmp_path / "none"))
    with pytest.raises(BadUsage):
        list(read_dataset(name, tmp_path, split="no such split"))
