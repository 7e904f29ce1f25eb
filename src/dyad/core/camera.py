"""A camera that does not change: every crop, resize or flip of its image is a new one."""

import math
import tomllib
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dyad.core.errors import BadInput, BadUsage, one_line
from dyad.core.sizes import check_size
from dyad.geometry import projection
from dyad.geometry.grids import rescale_xy

CameraSource = Literal["given", "file", "fov", "guess"]

# Most videos come from phones, whose main lenses are of 24 to 28 mm on full frame (0.55 to 0.65 of the diagonal), and
# which use less of the image for video; webcams lie there, too, and who films from afar has longer lenses. One image
# diagonal, which many tools assume, puts people whom a phone filmed half as far away again as they are.
GUESSED_FOCAL_PER_DIAGONAL = 0.8
GUESSED_FOCAL_SPREAD = 0.3


@dataclass(frozen=True)
class Camera:
    """Intrinsics of a pinhole camera with lens distortion; batchable over leading dimensions.

    Attributes:
        size: (width, height) of the image in px.
        focal: (…, 2) focal lengths in px along x and y.
        centre: (…, 2) principal point in px; whole coordinates are pixel centres.
        distortion: (…, 5) OpenCV's k1 k2 p1 p2 k3.
        source: where the focal length came from. A "guess" makes every absolute depth a guess of the same share.
    """

    size: tuple[int, int]
    focal: Tensor
    centre: Tensor
    distortion: Tensor = field(default_factory=lambda: torch.zeros(5, dtype=torch.float64))
    source: CameraSource = "given"

    def __post_init__(self) -> None:
        for name, last in (("focal", 2), ("centre", 2), ("distortion", 5)):
            value = torch.as_tensor(getattr(self, name), dtype=torch.float64)
            if value.shape[-1:] != (last,) or not torch.isfinite(value).all():
                raise BadInput(f"a camera's {name} is {last} finite numbers, got {value.tolist()}")
            object.__setattr__(self, name, value)
        if (self.focal <= 0).any() or min(self.size) < 1:
            raise BadInput(f"a camera's focal length and size are positive, got {self.focal.tolist()} and {self.size}")
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))

    @classmethod
    def guess(cls, size: tuple[int, int]) -> "Camera":
        """A focal length of 0.8 image diagonals (35 mm on full frame), the principal point in the middle: a guess."""
        return cls.from_focal(size, GUESSED_FOCAL_PER_DIAGONAL * math.hypot(*size), source="guess")

    @classmethod
    def from_focal(cls, size: tuple[int, int], focal: float, *, source: CameraSource = "given") -> "Camera":
        """Square pixels, no distortion, the principal point in the middle; `focal` in px."""
        if not (math.isfinite(focal) and focal > 0):
            raise BadUsage(f"the focal length is a positive number of pixels, got {focal}")
        centre = torch.tensor([(size[0] - 1) / 2, (size[1] - 1) / 2], dtype=torch.float64)
        return cls(size, torch.tensor([focal, focal], dtype=torch.float64), centre, source=source)

    @classmethod
    def from_fov(cls, size: tuple[int, int], degrees: float) -> "Camera":
        """`degrees` is the horizontal field of view, in (0, 180)."""
        if not 0 < degrees < 180:
            raise BadUsage(f"the horizontal field of view lies between 0 and 180 degrees, got {degrees}")
        return cls.from_focal(size, size[0] / 2 / math.tan(math.radians(degrees) / 2), source="fov")

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> "Camera":
        """Read a TOML file with `size` and `focal` (px, one number or two).

        It may also give `centre` (px; the middle of the image if not) and `distortion` (k1 k2 p1 p2 k3).
        """
        try:
            fields = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise BadInput(f"cannot read the camera file {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # Bad syntax, bad UTF-8, or numbers of thousands of digits.
            raise BadInput(f"{path} is not a TOML file: {one_line(error)}") from error
        known = ("size", "focal", "centre", "distortion")
        strange = " ".join(", ".join(sorted({*fields} - {*known})).split())
        if strange:
            raise BadInput(f"the camera file {path} says {strange[:200]}; it may say {', '.join(known)}")
        try:
            return cls.from_json({**fields, "source": "file"})
        except BadInput as error:
            raise BadInput(f"the camera file {path} is not right: {one_line(error)}") from error

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Camera":
        """Rebuild a camera from `to_json`; BadInput says what is missing. `focal` may be one number."""
        try:
            width, height = (int(v) for v in fields["size"])
            focal = fields["focal"]
            focal = [focal, focal] if isinstance(focal, int | float) else focal
            centre = fields.get("centre", [(width - 1) / 2, (height - 1) / 2])
            numbers = [
                torch.tensor(v, dtype=torch.float64) for v in (focal, centre, fields.get("distortion", [0.0] * 5))
            ]
            source = fields.get("source", "given")
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise BadInput(
                "a camera needs size = [w, h] and focal, one number or [fx, fy], in px; centre = [cx, cy] and "
                f"distortion = [k1, k2, p1, p2, k3] if known: {one_line(error)}"
            ) from error
        if min(width, height) > 0:
            check_size(width, height, "the camera")
        if any(value.dim() != 1 for value in numbers):
            raise BadInput("one camera has one focal length, centre and distortion, got tables of them")
        return cls((width, height), *numbers, source=source if source in ("given", "file", "fov", "guess") else "given")

    def to_json(self) -> dict[str, Any]:
        return {
            "size": list(self.size),
            "focal": self.focal.tolist(),
            "centre": self.centre.tolist(),
            "distortion": self.distortion.tolist(),
            "source": self.source,
        }

    @property
    def guessed(self) -> bool:
        return self.source == "guess"

    def project(self, xyz: Tensor) -> Tensor:
        """Points (…, 3) m in camera coordinates to pixels (…, 2); NaN behind the camera."""
        return projection.project(xyz, *self._lens(xyz))

    def rays(self, xy: Tensor) -> Tensor:
        """Viewing rays (…, 3) with z = 1 of pixels (…, 2)."""
        return projection.rays(xy, *self._lens(xy))

    def unproject(self, xy: Tensor, depth: Tensor) -> Tensor:
        """Pixels (…, 2) at depth (…) m to points (…, 3) m."""
        return projection.unproject(xy, depth, *self._lens(xy))

    def crop(self, x0: float, y0: float, width: int, height: int) -> "Camera":
        """The camera of the image's part whose first pixel is (x0, y0)."""
        return replace(self, size=(width, height), centre=self.centre - self.centre.new_tensor((x0, y0)))

    def resize(self, width: int, height: int) -> "Camera":
        """The camera of the image scaled to another size."""
        scale = self.focal.new_tensor((width / self.size[0], height / self.size[1]))
        return replace(self, size=(width, height), focal=self.focal * scale, centre=rescale_xy(self.centre, scale))

    def flip(self) -> "Camera":
        """The camera of the image mirrored left to right: it sees the world with x negated."""
        centre = torch.stack((self.size[0] - 1 - self.centre[..., 0], self.centre[..., 1]), -1)
        sign = self.distortion.new_tensor((1, 1, 1, -1, 1))
        return replace(self, centre=centre, distortion=self.distortion * sign)

    def _lens(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dtype = like.dtype if like.is_floating_point() else torch.float64
        focal, centre, distortion = (v.to(like.device, dtype) for v in (self.focal, self.centre, self.distortion))
        return focal, centre, distortion
