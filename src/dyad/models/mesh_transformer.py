"""Transformer encoders whose width shrinks from block to block, from image features of every joint and vertex to 3D."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_NORM_EPS = 1e-12


class EncoderLayer(nn.Module):
    """Attention of all tokens (N, L, C) to all and two dense layers, each added to its input and then normalised."""

    def __init__(self, width: int, *, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.mix = (nn.Linear(width, width) for _ in range(4))
        self.attention_norm = nn.LayerNorm(width, eps=_NORM_EPS)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width, eps=_NORM_EPS)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        seen = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        x = self.attention_norm(x + self.drop(self.mix(seen.transpose(1, 2).flatten(2))))
        return self.norm(x + self.drop(self.narrow(F.gelu(self.widen(x)))))


class EncoderBlock(nn.Module):
    """Tokens (N, L, inputs) to (N, L, outputs): positions added at width C, encoder layers, and a linear short cut.

    Args:
        inputs, width, outputs: channels before, inside and after.
        layers, heads, hidden: encoder layers, attention heads of each, width of its dense layer.
        longest: most tokens that have a position.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        outputs: int,
        *,
        layers: int = 4,
        heads: int = 4,
        hidden: int = 3072,
        longest: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.positions = nn.Parameter(0.02 * torch.randn(longest, width))
        self.drop = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads=heads, hidden=hidden, dropout=dropout) for _ in range(layers)
        )
        self.head = nn.Linear(width, outputs)
        self.short_cut = nn.Linear(inputs, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] > len(self.positions):
            raise ValueError(f"expected at most {len(self.positions)} tokens, got {tokens.shape[1]}")
        x = self.drop(self.embed(tokens) + self.positions[: tokens.shape[1]])
        for layer in self.layers:
            x = layer(x)
        return self.head(x) + self.short_cut(tokens)
