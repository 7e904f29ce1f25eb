"""Weights that Dyad fetches rather than ships: where they lie, how they get there, whether they are intact.

BlazePose's two networks are taken out of Google's wheel `mediapipe` (Apache-2.0), which pip downloads and which is
never installed. Every file is checked against its SHA-256 whenever it is used.
"""

import hashlib
import importlib.util
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

logger = logging.getLogger(__name__)

WHEEL = "mediapipe==0.10.21"
_DOWNLOAD_SECONDS = 900
_PATIENCE_SECONDS = 30
_MODULES = "mediapipe/modules"


class WeightsError(Exception):
    """Weights cannot be had; the message says in one sentence why and what to do."""


@dataclass(frozen=True)
class WeightsFile:
    """One file of weights: what it must be, and where it comes from."""

    name: str
    file: str
    sha256: str
    bytes: int
    member: str  # path inside the wheel
    licence: str = "Apache-2.0"
    source: str = f"{WHEEL} (Google, MediaPipe) from the Python package index"


@dataclass(frozen=True)
class WeightsInfo:
    """What `list_weights` tells about one file."""

    name: str
    file: str
    sha256: str
    bytes: int
    licence: str
    source: str
    path: Path
    state: Literal["present", "absent", "damaged"]

    @property
    def present(self) -> bool:
        return self.state == "present"


BLAZEPOSE_DETECTOR = WeightsFile(
    name="blazepose",
    file="pose_detection.tflite",
    sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    bytes=2_959_046,
    member=f"{_MODULES}/pose_detection/pose_detection.tflite",
)
BLAZEPOSE_LANDMARKS = WeightsFile(
    name="blazepose",
    file="pose_landmark_full.tflite",
    sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    bytes=6_440_512,
    member=f"{_MODULES}/pose_landmark/pose_landmark_full.tflite",
)
BLAZEPOSE = (BLAZEPOSE_DETECTOR, BLAZEPOSE_LANDMARKS)


def cache_folder() -> Path:
    """The user's folder for fetched weights: `DYAD_CACHE`, else the platform's convention. It need not exist yet."""
    chosen = os.environ.get("DYAD_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "dyad"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dyad"
    shared = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "dyad"


def find_blazepose() -> Path | None:
    """The folder with BlazePose's two intact files (`BLAZEPOSE_DETECTOR.file`, `BLAZEPOSE_LANDMARKS.file`).

    None where one is absent or damaged; a damaged one is logged as a warning, and `pull_blazepose` replaces it.
    """
    folder = _folder()
    states = {wanted.file: _state(folder / wanted.file, wanted) for wanted in BLAZEPOSE}
    for file, state in states.items():
        if state == "damaged":
            logger.warning("%s is damaged; run `dyad weights pull blazepose` to replace it.", folder / file)
    return folder if all(state == "present" for state in states.values()) else None


def pull_blazepose(from_wheel: Path | str | None = None) -> Path:
    """Puts BlazePose's two networks into the cache and returns their folder.

    Args:
        from_wheel: a downloaded wheel of mediapipe; without it pip downloads the wheel, unless the cache is intact.

    Several processes may pull at once: each file appears whole or not at all. Raises WeightsError.
    """
    folder = _folder()
    if from_wheel is not None:
        _unpack(Path(from_wheel), folder)
        return folder
    if all(_state(folder / wanted.file, wanted) == "present" for wanted in BLAZEPOSE):
        return folder
    with tempfile.TemporaryDirectory(prefix="dyad-") as temporary:
        _unpack(_download(Path(temporary)), folder)
    return folder


def download(url: str, path: Path, *, sha256_begins: str) -> None:
    """Fetches a public file of weights, whole or not at all, if its SHA-256 begins as told. Raises WeightsError."""
    # Only here is the network needed, and these two cost time to load.
    import http.client
    import urllib.request

    logger.info("Downloading %s.", url)
    digest, temporary = hashlib.sha256(), path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS) as stream, temporary.open("xb") as file:
            while block := stream.read(1 << 20):
                digest.update(block)
                file.write(block)
        if not digest.hexdigest().startswith(sha256_begins):
            raise WeightsError(
                f"What {url} gives was not kept: its SHA-256 is {digest.hexdigest()[:12]}…, expected {sha256_begins}…."
            )
        os.replace(temporary, path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise WeightsError(
            f"Could not download {url} ({' '.join(str(error).split())[:120]}): connect to the network, or fetch the "
            "file by other means and run `dyad weights import FILE`."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def list_weights() -> list[WeightsInfo]:
    """Every file of weights that Dyad can fetch, and its state in the cache."""
    folder = _folder()
    return [
        WeightsInfo(
            name=wanted.name,
            file=wanted.file,
            sha256=wanted.sha256,
            bytes=wanted.bytes,
            licence=wanted.licence,
            source=wanted.source,
            path=folder / wanted.file,
            state=_state(folder / wanted.file, wanted),
        )
        for wanted in BLAZEPOSE
    ]


def _folder() -> Path:
    return cache_folder() / "blazepose"


def _state(path: Path, wanted: WeightsFile) -> Literal["present", "absent", "damaged"]:
    try:
        if path.stat().st_size != wanted.bytes:
            return "damaged"
        return "present" if _fits(path.read_bytes(), wanted) else "damaged"
    except FileNotFoundError:
        return "absent"
    except OSError:
        return "damaged"


def _fits(data: bytes, wanted: WeightsFile) -> bool:
    return len(data) == wanted.bytes and hashlib.sha256(data).hexdigest() == wanted.sha256


def _download(folder: Path) -> Path:
    """Lets pip fetch the wheel: it knows the user's index, proxy and certificates."""
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            f"This Python has no pip to download {WHEEL} with: run `python -m ensurepip` (or `uv pip install pip`), "
            "or download the wheel elsewhere and run `dyad weights pull blazepose --from WHEEL`."
        )
    # The networks are the same on every platform; naming one makes pip take its wheel on any host.
    platform = ["--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--implementation", "cp"]
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    command = [sys.executable, "-m", "pip", "download", *quiet, "--no-deps", "--only-binary=:all:", *platform]
    logger.info("Downloading %s (36 MB) for BlazePose's networks.", WHEEL)
    try:
        done = subprocess.run(
            [*command, WHEEL, "-d", str(folder)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DOWNLOAD_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise WeightsError(_no_download(str(error))) from error
    wheels = sorted(folder.glob("mediapipe-*.whl"))
    if done.returncode or not wheels:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise WeightsError(_no_download(reasons[-1] if reasons else f"pip ended with {done.returncode}"))
    return wheels[0]


def _no_download(reason: str) -> str:
    return (
        f"Could not download {WHEEL} ({reason.rstrip('. ')}): connect to the network and run "
        "`dyad weights pull blazepose`, or give a wheel with `dyad weights pull blazepose --from WHEEL`."
    )


def _unpack(wheel: Path, folder: Path) -> None:
    """Takes the two networks out of the wheel, nothing else, and only if they are what is expected."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [(_member(archive, wheel, wanted), wanted) for wanted in BLAZEPOSE]
    except FileNotFoundError as error:
        raise WeightsError(f"{wheel} does not exist; give the path of a wheel of {WHEEL}.") from error
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise WeightsError(f"{wheel} is not a readable wheel ({error}); download {WHEEL} again.") from error
    for data, wanted in found:
        _write(folder / wanted.file, data, wanted)


def _member(archive: zipfile.ZipFile, wheel: Path, wanted: WeightsFile) -> bytes:
    try:
        with archive.open(wanted.member) as stream:
            data = stream.read(wanted.bytes + 1)  # never more, whatever the archive claims
    except KeyError as error:
        raise WeightsError(f"{wheel} holds no {wanted.member}; a wheel of {WHEEL} is needed.") from error
    if not _fits(data, wanted):
        raise WeightsError(
            f"{wanted.member} in {wheel} has not the expected SHA-256 {wanted.sha256[:12]}…; "
            f"a wheel of {WHEEL} is needed."
        )
    return data


def _write(path: Path, data: bytes, wanted: WeightsFile) -> None:
    """Writes beside the target and renames, so that readers and other writers see a whole file or none."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        # On Windows a file that another process reads cannot be replaced; then it is intact already.
        if _state(path, wanted) != "present":
            raise WeightsError(f"Cannot write {path} ({error}); set DYAD_CACHE to a folder you own.") from error
