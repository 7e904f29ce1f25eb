"""How large images may be, whoever says so."""

from dyad.core.errors import BadInput

# 8K is 33 million pixels and the largest cameras make 100; a header that claims more is damaged or hostile.
MAX_SIDE = 16384
MAX_PIXELS = 140_000_000


def check_size(width: int, height: int, name: str) -> None:
    """Refuse sizes that no camera makes, before memory is taken for them: BadInput."""
    if width < 1 or height < 1:
        raise BadInput(f"{name} has images of {width}x{height} px; at least 1x1 is needed")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadInput(
            f"{name} has images of {width}x{height} px; at most {MAX_SIDE} px a side and "
            f"{MAX_PIXELS // 1_000_000} million pixels are read: scale it down first"
        )
