"""The page of conventions says what the code does."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17, LSP14, MUPOTS17, Skeleton
from dyad.core.tracks import Flag

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    if found is None:
        pytest.fail(f"the page shows no {kind}")
    return found[1]


@pytest.mark.parametrize("skeleton", [BODY17, MUPOTS17, LSP14], ids=lambda s: s.name)
def test_joints_stand_in_the_order_of_the_code(skeleton: Skeleton) -> None:
    found = re.search(rf"\| `{skeleton.name}` \| (.*?) \|", PAGE)
    assert found is not None
    assert [name.strip().replace(" ", "_") for name in found[1].split(",")] == list(skeleton.names)


def test_the_camera_file_shown_is_one_and_its_defaults_are_true() -> None:
    shown = tomllib.loads(block("toml"))
    camera = Camera.from_json({"size": shown["size"], "focal": shown["focal"]})
    assert camera.to_json() == {**shown, "source": "given"}


def test_the_header_shown_has_the_flags_of_the_code() -> None:
    flags = {str(flag.value): flag.meaning for flag in Flag}
    assert json.loads(block("json"))["flags"] == flags
    for bit, meaning in flags.items():
        assert f"| {bit} | {meaning} |" in PAGE
