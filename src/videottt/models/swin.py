"""The encoder f: a Swin Transformer whose input has a fourth channel (paper section 4.3).

The parameters have the names of transformers' Swin, so that its checkpoints fit; the forward pass
is the project's own, because the encoder is run at every step of test-time training.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from videottt.models.windows import WindowAttention
from videottt.settings.presets import SwinSizes

Size = tuple[int, int]

# Side of a patch in pixels, and of a window in tokens, as published.
PATCH = 4
WINDOW = 7
# RGB and visibility.
CHANNELS = 4


class DropPath(nn.Module):
    """Drop a residual branch for random samples of a batch, in training mode only.

    Args:
        drop_prob: probability that a sample's branch is dropped, 0..1.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, branch: Tensor) -> Tensor:
        """Return the branch [B, ...], divided by the probability that it is kept, or 0."""
        if not self.training:
            return branch
        kept = 1 - self.drop_prob
        shape = (len(branch),) + (1,) * (branch.ndim - 1)
        drawn = torch.rand(shape, dtype=branch.dtype, device=branch.device)
        return branch.div(kept) * torch.floor(drawn + kept)


@contextlib.contextmanager
def drop_path(encoder: nn.Module, on: bool) -> Iterator[None]:
    """Switch the encoder's drop path on or off inside the block; all else stays in eval mode."""
    modules = [module for module in encoder.modules() if isinstance(module, DropPath)]
    for module in modules:
        module.train(on)
    try:
        yield
    finally:
        for module in modules:
            module.train(False)


class PatchEmbeddings(nn.Module):
    """Project square patches of pixels to tokens."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(CHANNELS, channels, kernel_size=PATCH, stride=PATCH)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return tokens [B, H/4 · W/4, C] of pixels [B, 4, H, W], H and W multiples of 4."""
        batch, channels, height, width = pixels.shape
        patches = pixels.view(batch, channels, height // PATCH, PATCH, width // PATCH, PATCH)
        patches = patches.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * PATCH**2)
        # A convolution whose patches do not overlap is a product of matrices.
        weight = self.projection.weight.flatten(1)
        return nn.functional.linear(patches, weight, self.projection.bias)


class Embeddings(nn.Module):
    """Patches of pixels as normalised tokens."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.patch_embeddings = PatchEmbeddings(channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return tokens [B, H/4 · W/4, C] of pixels [B, 4, H, W]."""
        tokens: Tensor = self.norm(self.patch_embeddings(pixels))
        return tokens


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens [B, N, C] for tokens [B, N, C]."""
        changed: Tensor = self.fc2(nn.functional.gelu(self.fc1(tokens)))
        return changed


class Block(nn.Module):
    """One Swin block: attention in windows and a feed-forward network, each as a residual branch.

    Drop path applies to both branches, as in the published model.
    """

    def __init__(self, channels: int, heads: int, shift: int, drop_path_rate: float) -> None:
        super().__init__()
        self.shift = shift
        self.layernorm_before = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads, WINDOW)
        self.drop_path = DropPath(drop_path_rate) if drop_path_rate else nn.Identity()
        self.layernorm_after = nn.LayerNorm(channels)
        self.mlp = FeedForward(channels)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        """Return tokens [B, H·W, C] for tokens of maps of `size` = (H, W)."""
        attended = self.attention(self.layernorm_before(tokens), size, self.shift)
        tokens = tokens + self.drop_path(attended)
        changed: Tensor = tokens + self.drop_path(self.mlp(self.layernorm_after(tokens)))
        return changed


class Downsample(nn.Module):
    """Merge each 2 x 2 tokens into one of twice as many channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)
        self.norm = nn.LayerNorm(4 * channels)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        """Return tokens [B, ⌈H/2⌉ · ⌈W/2⌉, 2 · C] of tokens [B, H·W, C]; odd maps are padded."""
        batch, _, channels = tokens.shape
        height, width = size
        maps = tokens.view(batch, height, width, channels)
        if height % 2 or width % 2:
            maps = nn.functional.pad(maps, (0, 0, 0, width % 2, 0, height % 2))
        parts = maps.view(batch, (height + 1) // 2, 2, (width + 1) // 2, 2, channels)
        merged = parts.permute(0, 1, 3, 4, 2, 5).reshape(batch, -1, 4 * channels)
        reduced: Tensor = self.reduction(self.norm(merged))
        return reduced


class Stage(nn.Module):
    """Swin blocks at one resolution; every other block has shifted windows."""

    def __init__(self, channels: int, heads: int, rates: Sequence[float], last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(channels, heads, WINDOW // 2 if number % 2 else 0, rate)
            for number, rate in enumerate(rates)
        )
        self.downsample = None if last else Downsample(channels)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        """Return the stage's tokens [B, H·W, C], before they are merged for the next stage."""
        for block in self.blocks:
            tokens = block(tokens, size)
        return tokens


class Stages(nn.Module):
    """The stages of a Swin Transformer, from high to low resolution."""

    def __init__(
        self, channels: int, depths: Sequence[int], heads: Sequence[int], drop_path_rate: float
    ) -> None:
        super().__init__()
        count = sum(depths)
        rates = [drop_path_rate * number / max(count - 1, 1) for number in range(count)]
        first = [sum(depths[:stage]) for stage in range(len(depths))]
        self.layers = nn.ModuleList(
            Stage(
                channels * 2**stage,
                heads[stage],
                rates[first[stage] : first[stage] + depth],
                last=stage == len(depths) - 1,
            )
            for stage, depth in enumerate(depths)
        )

    def forward(self, tokens: Tensor, size: Size) -> Iterator[tuple[Tensor, Size]]:
        """Yield tokens [B, H·W, C] and (H, W) of each stage."""
        for stage in self.layers:
            assert isinstance(stage, Stage)
            tokens = stage(tokens, size)
            yield tokens, size
            if stage.downsample is not None:
                tokens = stage.downsample(tokens, size)
                size = (size[0] + 1) // 2, (size[1] + 1) // 2


class Swin(nn.Module):
    """A Swin Transformer without a head.

    `layernorm` is in every checkpoint and is not used: each stage has a norm of its own.
    """

    def __init__(
        self, channels: int, depths: Sequence[int], heads: Sequence[int], drop_path_rate: float
    ) -> None:
        super().__init__()
        self.embeddings = Embeddings(channels)
        self.encoder = Stages(channels, depths, heads, drop_path_rate)
        self.layernorm = nn.LayerNorm(channels * 2 ** (len(depths) - 1))


class SwinEncoder(nn.Module):
    """The encoder f: Swin Transformer with a norm for each of its stages' outputs.

    Args:
        sizes: of the stages.

    Attributes:
        channels: of the maps.
    """

    def __init__(self, sizes: SwinSizes) -> None:
        super().__init__()
        self.channels = sizes.channels
        self.swin = Swin(sizes.embed_dim, sizes.depths, sizes.num_heads, sizes.drop_path_rate)
        self.hidden_states_norms = nn.ModuleDict(
            {f"stage{n + 1}": nn.LayerNorm(channels) for n, channels in enumerate(sizes.channels)}
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return one map for each stage.

        Args:
            pixels: float [B, 4, H, W], H and W multiples of 32.

        Returns:
            maps i = 0..3, float [B, C · 2^i, H / 2^(i+2), W / 2^(i+2)], channels last in memory.
        """
        size = pixels.shape[-2] // PATCH, pixels.shape[-1] // PATCH
        stages = self.swin.encoder(self.swin.embeddings(pixels), size)
        maps = []
        for norm, (tokens, (height, width)) in zip(
            self.hidden_states_norms.values(), stages, strict=True
        ):
            normed = norm(tokens).view(len(tokens), height, width, -1)
            maps.append(normed.permute(0, 3, 1, 2))
        return tuple(maps)
