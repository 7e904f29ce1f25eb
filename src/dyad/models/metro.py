"""METRO: joints and the mesh of one person from an image, by attention between all of them.

Lin et al., "End-to-end human pose and mesh reconstruction with transformers", CVPR 2021.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dyad.models.mesh_transformer import EncoderBlock
from dyad.models.namings import Naming
from dyad.models.smpl_template import JOINTS14, VERTICES, BodyTemplate


class BodyMesh(NamedTuple):
    """What METRO says of N images, in m relative to the pelvis, camera axes.

    Attributes:
        joints: (N, 14, 3) of `JOINTS14`, as the transformer gives them. camera: (N, 3) scale and shift, see `project`.
        vertices: (N, 6890, 3) of SMPL's mesh. middle, coarse: (N, 1723, 3) and (N, 431, 3) of its coarser versions.
    """

    joints: Tensor
    camera: Tensor
    vertices: Tensor
    middle: Tensor
    coarse: Tensor


class METRO(nn.Module):
    """Image features and a template body to joints, mesh and camera.

    Published weights take 2048 x 7 x 7 features of HRNet-W64 (classification) of a 224 x 224 px image.

    Args:
        features: channels of the image features. cells: places of their grid, 49 for 7 x 7.
        widths: of each transformer block. outputs: channels after each; the last is 3.
        layers, heads, hidden, dropout: of each block.
        backbone: images to image features; without it `forward` takes these themselves.
    """

    def __init__(
        self,
        *,
        features: int = 2048,
        cells: int = 49,
        widths: Sequence[int] = (1024, 256, 128),
        outputs: Sequence[int] = (512, 128, 3),
        layers: int = 4,
        heads: int = 4,
        hidden: int = 3072,
        dropout: float = 0.1,
        backbone: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if len(widths) != len(outputs) or outputs[-1] != 3:
            raise ValueError(f"expected an output for each width, the last 3, got {tuple(widths)}, {tuple(outputs)}")
        self.features, self.cells = features, cells
        self.backbone = backbone or nn.Identity()
        finest, middle, coarse = VERTICES
        self.spread = nn.Conv1d(cells, len(JOINTS14) + coarse, 1)
        inputs = (3 + features, *outputs[:-1])
        self.blocks = nn.Sequential(
            *(
                EncoderBlock(i, w, o, layers=layers, heads=heads, hidden=hidden, dropout=dropout)
                for i, w, o in zip(inputs, widths, outputs, strict=True)
            )
        )
        self.to_middle, self.to_finest = nn.Linear(coarse, middle), nn.Linear(middle, finest)
        # Linear layers in a row: over the coordinates of each vertex, then over the vertices.
        self.camera_of_vertex, self.camera_hidden, self.camera = (
            nn.Linear(3, 1),
            nn.Linear(coarse, 250),
            nn.Linear(250, 3),
        )

    def tokens(self, features: Tensor, template: BodyTemplate) -> Tensor:
        """A token for each joint and coarse vertex: its place in the template, then image features, (N, 445, 3 + C)."""
        if features.dim() != 4 or features.shape[1] != self.features or features[0, 0].numel() != self.cells:
            raise ValueError(
                f"expected features (N, {self.features}, H, W) of {self.cells} cells, got {tuple(features.shape)}"
            )
        spread = self.spread(features.flatten(2).transpose(1, 2))
        places = torch.cat((template.joints, template.vertices)).to(spread)
        return torch.cat((places.expand(len(spread), -1, -1), spread), 2)

    def forward(self, images: Tensor, template: BodyTemplate) -> BodyMesh:
        out = self.blocks(self.tokens(self.backbone(images), template))
        joints, coarse = out.split((len(JOINTS14), out.shape[1] - len(JOINTS14)), 1)
        camera = self.camera(self.camera_hidden(self.camera_of_vertex(coarse)[..., 0]))
        middle = self.to_middle(coarse.transpose(1, 2))
        finest = self.to_finest(middle)
        return BodyMesh(joints, camera, finest.transpose(1, 2), middle.transpose(1, 2), coarse)


def project(points: Tensor, camera: Tensor) -> Tensor:
    """Points (N, K, 3) by cameras (N, 3) of scale and shift to (N, K, 2) in -1..1 of the crop: weak perspective."""
    return camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])


_LAYER = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "mix",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "widen",
    "output.dense": "narrow",
    "output.LayerNorm": "norm",
}
METRO_NAMINGS = (
    Naming(
        "microsoft/MeshTransformer",
        rules=(
            (r"^module\.", ""),
            (r"^trans_encoder\.(\d+)\.(bert\.)?", r"blocks.\1."),
            *(
                (rf"^(blocks\.\d+)\.encoder\.layer\.(\d+)\.{re.escape(theirs)}\.", rf"\1.layers.\2.{ours}.")
                for theirs, ours in _LAYER.items()
            ),
            (r"^(blocks\.\d+)\.position_embeddings\.weight$", r"\1.positions"),
            (r"^(blocks\.\d+)\.img_embedding\.", r"\1.embed."),
            (r"^(blocks\.\d+)\.cls_head\.", r"\1.head."),
            (r"^(blocks\.\d+)\.residual\.", r"\1.short_cut."),
            (r"^upsampling\.", "to_middle."),
            (r"^upsampling2\.", "to_finest."),
            (r"^conv_learn_tokens\.", "spread."),
            (r"^cam_param_fc\.", "camera_of_vertex."),
            (r"^cam_param_fc2\.", "camera_hidden."),
            (r"^cam_param_fc3\.", "camera."),
        ),
        ignored=(
            # Of the language model that the original is built on, and never read.
            r"(module\.)?trans_encoder\.\d+\.bert\.(embeddings|pooler)\..+",
            # The image backbone is another network, which is injected.
            r"(module\.)?backbone\..+",
        ),
    ),
)
