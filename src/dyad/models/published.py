"""Weights of others that lie at a public address under a hash that is known; Dyad ships none of them."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from dyad.models.checkpoints import import_original, stored
from dyad.models.weights import WeightsError, download


@dataclass(frozen=True)
class Published:
    """Where a file lies, how its SHA-256 begins, and what its authors say about using it."""

    url: str
    sha256_begins: str
    licence: str


_TORCHVISION = "BSD-3-Clause (torchvision); trained on FlyingChairs and FlyingThings3D and more, see their terms"
PUBLISHED = {
    "raft-large-torchvision": Published(
        "https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth", "ff5fadd5", _TORCHVISION
    ),
    "raft-small-torchvision": Published(
        "https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth", "01064c6d", _TORCHVISION
    ),
}


def pull(name: str) -> Path:
    """Fetch published weights, import them, and return their file; what is there already is not fetched again.

    Raises WeightsError for an unknown name, without a network, and where the file is not the one that was published.
    """
    if name in stored():
        return stored()[name]
    if name not in PUBLISHED:
        raise WeightsError(f"there are no weights {name!r} to pull; there are: blazepose, {', '.join(PUBLISHED)}")
    what = PUBLISHED[name]
    with tempfile.TemporaryDirectory(prefix="dyad-") as folder:
        file = Path(folder) / what.url.rsplit("/", 1)[-1]
        download(what.url, file, sha256_begins=what.sha256_begins)
        return import_original(file, name=name)[0]
