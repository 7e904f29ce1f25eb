"""From flow at an eighth of the size to flow of every pixel."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FACTOR = 8


class Bilinear(nn.Module):
    """Between the outermost pixels' centres, as RAFT small has it."""

    def forward(self, hidden: Tensor, flow: Tensor) -> Tensor:
        return FACTOR * F.interpolate(flow, scale_factor=FACTOR, mode="bilinear", align_corners=True)


class Convex(nn.Module):
    """Every pixel's flow is a mean of the nine nearest coarse ones, with weights from the state (RAFT, section 3.3)."""

    def __init__(self, *, hidden: int, width: int = 256) -> None:
        super().__init__()
        self.mask = nn.Sequential(
            nn.Conv2d(hidden, width, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(width, 9 * FACTOR**2, 1)
        )

    def logits(self, hidden: Tensor) -> Tensor:
        """(N, 9 · 64, H, W): for each of the nine, of each of the 8x8 pixels, row by row."""
        # Small at first, so that gradients of the weights and of the flow are of one size.
        return 0.25 * self.mask(hidden)

    def forward(self, hidden: Tensor, flow: Tensor) -> Tensor:
        batch, _, height, width = flow.shape
        weights = self.logits(hidden).float().view(batch, 1, 9, FACTOR, FACTOR, height, width).softmax(2)
        near = F.unfold(FACTOR * flow, 3, padding=1).view(batch, 2, 9, height, width)
        fine = torch.zeros((), dtype=near.dtype, device=near.device)
        for k in range(9):
            fine = fine + weights[:, :, k] * near[:, :, k, None, None]
        return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, FACTOR * height, FACTOR * width)
