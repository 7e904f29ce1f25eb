"""GMA: RAFT whose pixels take motion over from pixels that look as if they belonged to the same thing.

Jiang, Campbell, Lu, Li and Hartley, "Learning to Estimate Hidden Motions with Global Motion Aggregation", ICCV 2021.
What is hidden in the second image has nothing to match there, but moves as the rest of its body does.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from dyad.models.namings import Naming
from dyad.models.raft import PRINCETON_RULES, RAFT, TWICE_NAMED, Policy, basic

Kind = Literal["content", "content_and_position", "position"]


class Score(Protocol):
    """How much each pixel's query asks for each pixel's key: (N, heads, H, W, D) twice to (N, heads, H W, H W)."""

    def __call__(self, queries: Tensor, keys: Tensor, /) -> Tensor: ...


class Content(nn.Module):
    """Their product."""

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        return queries.flatten(2, 3) @ keys.flatten(2, 3).transpose(2, 3)


class Position(nn.Module):
    """The product of the query with what was learnt for the distance in rows and in columns; the key has no say.

    Args:
        channels: D. reach: longest side in pixels of the context, an eighth of the image's.
    """

    def __init__(self, *, channels: int, reach: int = 160) -> None:
        super().__init__()
        self.reach = reach
        self.height = nn.Embedding(2 * reach - 1, channels)
        self.width = nn.Embedding(2 * reach - 1, channels)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        height, width = queries.shape[2:4]
        if max(height, width) > self.reach:
            raise ValueError(
                f"attention by position knows distances below {self.reach}, got features of {width}x{height}: "
                f"give images of at most {8 * self.reach} px a side, or use content"
            )
        down, across = self._table(self.height, height), self._table(self.width, width)
        rows = torch.einsum("nhxyd,xud->nhxyu", queries, down)
        columns = torch.einsum("nhxyd,yvd->nhxyv", queries, across)
        return (rows[..., :, None] + columns[..., None, :]).flatten(4, 5).flatten(2, 3)

    def _table(self, embedding: nn.Embedding, length: int) -> Tensor:
        """What stands for the distance from each of `length` places to each, (length, length, D)."""
        at = torch.arange(length, device=embedding.weight.device)
        return embedding(at - at[:, None] + self.reach - 1)


class ContentAndPosition(nn.Module):
    """The sum of both."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.content = Content()
        self.position = Position(channels=channels)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        return self.content(queries, keys) + self.position(queries, keys)


class Attention(nn.Module):
    """Shares (N, heads, H W, H W), of each pixel's row 1 in sum, from the context (N, context, H, W).

    Args:
        context: channels given. channels: of a query. heads: how many attend apart. score: what is softened to shares.
    """

    def __init__(self, *, context: int, channels: int, heads: int, score: nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.channels = channels
        self.to_qk = nn.Conv2d(context, 2 * heads * channels, 1, bias=False)
        self.score = score

    def forward(self, context: Tensor) -> Tensor:
        both = self.to_qk(context).unflatten(1, (2, self.heads, self.channels)).movedim(3, -1)
        queries, keys = both.unbind(1)
        return self.score(queries * self.channels**-0.5, keys).softmax(-1)


class GlobalMotion(nn.Module):
    """Motion features (N, motion, H, W), and behind them the same with what attention brings added: twice as many.

    `gamma` is 0 before training, so that the network starts as one without attention.
    """

    def __init__(self, *, motion: int, heads: int, attention: Attention) -> None:
        super().__init__()
        self.heads = heads
        self.attention = attention
        self.to_v = nn.Conv2d(motion, heads * motion, 1, bias=False)
        self.project = nn.Identity() if heads == 1 else nn.Conv2d(heads * motion, motion, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, context: Tensor) -> Callable[[Tensor], Tensor]:
        shares = self.attention(context)

        def aggregate(motion: Tensor) -> Tensor:
            values = self.to_v(motion).flatten(2).unflatten(1, (self.heads, -1))
            # Whoever asks comes last on the right: values (N, heads, motion, H W) times shares, transposed.
            brought = (values @ shares.transpose(2, 3)).flatten(1, 2).unflatten(2, motion.shape[2:])
            return torch.cat((motion, motion + self.gamma * self.project(brought)), 1)

        return aggregate


def gma(*, attention: Kind = "content", heads: int = 1, correlation: Policy = "auto", checkpoint: bool = True) -> RAFT:
    """The paper's network, 5.9 million parameters; the released checkpoints attend by content with one head.

    Args:
        attention: what decides where motion is taken from.
        heads: how many attend apart.
        correlation, checkpoint: as for `raft_basic`. Attention's memory is quadratic in pixels with either.
    """
    scores: dict[str, Callable[[], nn.Module]] = {
        "content": Content,
        "content_and_position": lambda: ContentAndPosition(channels=128),
        "position": lambda: Position(channels=128),
    }
    if attention not in scores:
        raise ValueError(f"attention is one of {', '.join(scores)}, got {attention!r}")
    shares = Attention(context=128, channels=128, heads=heads, score=scores[attention]())
    return basic(
        correlation=correlation,
        checkpoint=checkpoint,
        aggregator=GlobalMotion(motion=128, heads=heads, attention=shares),
        aggregated=256,
    )


def _rules(position: str) -> tuple[tuple[str, str], ...]:
    """GMA's rules where the embeddings lie at this place."""
    return (
        *PRINCETON_RULES,
        (r"^update_block\.aggregator\.", "aggregator."),
        (r"^att\.to_qk\.", "aggregator.attention.to_qk."),
        (r"^att\.pos_emb\.rel_(height|width)\.", rf"aggregator.attention.{position}.\1."),
    )


_INDEX = r"(module\.)?att\.pos_emb\.rel_ind"
GMA_NAMINGS = (
    # Every released checkpoint holds embeddings of positions, whatever attention it was trained with.
    Naming("zacjiang/GMA, content", _rules("none"), (*TWICE_NAMED, r"(module\.)?att\.pos_emb\..*")),
    Naming("zacjiang/GMA, position", _rules("score"), (*TWICE_NAMED, _INDEX)),
    Naming("zacjiang/GMA, content and position", _rules("score.position"), (*TWICE_NAMED, _INDEX)),
)
"""One for each kind of attention; the first that does not `misfit` is the right one."""
