import hashlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dyad.models import weights
from dyad.models.weights import WeightsError, cache_folder, find_blazepose, list_weights, pull_blazepose

CONTENT = {"pose_detection.tflite": b"detector" * 5000, "pose_landmark_full.tflite": b"landmarks" * 7000}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and small stand-ins for the two networks."""
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))
    stand_ins = tuple(
        replace(wanted, bytes=len(CONTENT[wanted.file]), sha256=hashlib.sha256(CONTENT[wanted.file]).hexdigest())
        for wanted in weights.BLAZEPOSE
    )
    monkeypatch.setattr(weights, "BLAZEPOSE", stand_ins)
    return tmp_path / "cache" / "blazepose"


def wheel(path: Path, *, leave_out: str = "", change: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mediapipe/__init__.py", "raise SystemExit")
        for wanted in weights.BLAZEPOSE:
            if wanted.file != leave_out:
                archive.writestr(wanted.member, CONTENT[wanted.file] + b"!" * (wanted.file == change))
    return path


def refuse_pip(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
    raise AssertionError("pip must not run")


def test_the_questions_name_the_command_that_fetches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def note(command: list[str], **_: object) -> None:
        asked.extend(command)
        raise OSError("no network")

    monkeypatch.setattr(subprocess, "run", note)
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path))
    with pytest.raises(WeightsError):
        pull_blazepose()
    page = (Path(__file__).resolve().parents[2] / "docs" / "faq.md").read_text("utf-8")
    told = next(line for line in page.splitlines() if line.startswith("pip download")).split()
    silent = {"--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2", "-d", asked[-1]}
    assert set(told) == {"pip"} | set(asked[3:]) - silent


def test_from_a_wheel(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", refuse_pip)
    assert find_blazepose() is None
    assert [info.state for info in list_weights()] == ["absent", "absent"]
    assert pull_blazepose(wheel(tmp_path / "m.whl")) == cache
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == CONTENT
    assert find_blazepose() == cache
    assert pull_blazepose() == cache  # intact: nothing to download
    assert all(info.present and info.licence == "Apache-2.0" for info in list_weights())


@pytest.mark.parametrize("damage", [b"", b"short", bytes(len(CONTENT["pose_detection.tflite"]))])
def test_damaged_file_is_reported_and_replaced(cache: Path, tmp_path: Path, caplog, damage: bytes) -> None:
    archive = wheel(tmp_path / "m.whl")
    pull_blazepose(archive)
    (cache / "pose_detection.tflite").write_bytes(damage)
    assert find_blazepose() is None
    assert "pose_detection.tflite is damaged" in caplog.text
    assert [info.state for info in list_weights()] == ["damaged", "present"]
    pull_blazepose(archive)
    assert find_blazepose() == cache


def test_pip_is_asked_for_one_wheel(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        wheel(Path(command[command.index("-d") + 1]) / "mediapipe-0.10.21-cp311-cp311-any.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: object())
    assert pull_blazepose() == cache
    assert pull_blazepose() == cache
    assert len(seen) == 1
    assert seen[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "mediapipe==0.10.21"} <= set(seen[0])


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = subprocess.CompletedProcess([], 1, "", "WARNING: retry\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failure)
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(WeightsError, match=r"No matching distribution.*connect.*--from WHEEL") as caught:
        pull_blazepose()
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_no_pip(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"no pip.*--from WHEEL"):
        pull_blazepose()


def test_wheels_that_do_not_fit(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        pull_blazepose(tmp_path / "none.whl")
    (tmp_path / "text.whl").write_text("not a wheel")
    with pytest.raises(WeightsError, match="not a readable wheel"):
        pull_blazepose(tmp_path / "text.whl")
    with pytest.raises(WeightsError, match="not a readable wheel"):
        pull_blazepose(tmp_path)
    with pytest.raises(WeightsError, match=r"holds no .*pose_landmark_full"):
        pull_blazepose(wheel(tmp_path / "a.whl", leave_out="pose_landmark_full.tflite"))
    with pytest.raises(WeightsError, match="SHA-256"):
        pull_blazepose(wheel(tmp_path / "b.whl", change="pose_detection.tflite"))
    assert not cache.exists()  # nothing of a wheel that does not fit is kept


def test_many_pulls_at_once(cache: Path, tmp_path: Path) -> None:
    archive = wheel(tmp_path / "m.whl")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: pull_blazepose(archive), range(32))) == {cache}
    assert sorted(path.name for path in cache.iterdir()) == sorted(CONTENT)


def test_cache_that_cannot_be_written(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="DYAD_CACHE"):
        pull_blazepose(wheel(tmp_path / "m.whl"))


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("DYAD_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "dyad"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "dyad"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "dyad"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "dyad"


def test_the_real_files(blazepose_folder: Path) -> None:
    assert find_blazepose() == blazepose_folder
    assert [info.bytes for info in list_weights()] == [info.path.stat().st_size for info in list_weights()]
