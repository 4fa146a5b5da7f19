"""The dense network in PyTorch, for training and for GPUs."""

import torch
from torch import Tensor, nn

from morpheus.model.config import DenseConfig

__all__ = ["DenseNetwork"]


class _Block(nn.Module):
    """Convolution, batch normalisation, ReLU; plus the input where that has the same shape."""

    def __init__(self, n_in: int, n_out: int, side: int, epsilon: float) -> None:
        super().__init__()
        stride = 2 if side == 4 else 1  # noqa: PLR2004 (the first convolution halves the resolution)
        self.residual = stride == 1 and n_in == n_out
        self.conv = nn.Conv2d(n_in, n_out, side, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(n_out, eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.conv(x)))
        return x + y if self.residual else y


class DenseNetwork(nn.Module):
    """Encoder and decoder from half the resolution on; see `DenseConfig`.

    Parameters
    ----------
    config : DenseConfig
        Levels, filters and convolutions.
    n_bands : int
        Bands; the input has two planes for each.
    n_classes : int
        Output channels.
    """

    def __init__(self, config: DenseConfig, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.config = config
        blocks = {
            name: _Block(*channels, config.batch_norm_epsilon)
            for name, channels in config.normalised_convolutions(n_bands).items()
        }
        self.down = nn.ModuleList(
            nn.Sequential(*(blocks[f"down.{i}.{j}"] for j in range(config.down_convolutions[i])))
            for i in range(config.depth)
        )
        ups = range(config.depth - 1)
        self.lateral = nn.ModuleList(
            nn.Conv2d(config.widths[i + 1], config.widths[i], kernel_size=1) for i in ups
        )
        self.up = nn.ModuleList(
            nn.Sequential(*(blocks[f"up.{i}.{j}"] for j in range(config.up_convolutions)))
            for i in ups
        )
        self.head = nn.Conv2d(config.widths[0], 4 * n_classes, kernel_size=3, padding=1)

    def forward(self, x: Tensor, margin: int = 0) -> Tensor:
        """Compute the logits of every pixel.

        Parameters
        ----------
        x : Tensor, shape (n, 2 * band, y, x)
            Normalised bands, then where each of them has pixels; y and x divisible by 2 to the
            power of the depth.
        margin : int, optional
            Outer pixels of the result to leave out.

        Returns
        -------
        Tensor, shape (n, class, y - 2 margin, x - 2 margin)
            Logits.
        """
        seen = []
        for i, level in enumerate(self.down):
            x = level(x if i == 0 else nn.functional.max_pool2d(x, 2))
            seen.append(x)
        for i in reversed(range(len(self.up))):
            x = nn.functional.interpolate(self.lateral[i](x), scale_factor=2.0, mode="nearest")
            x = self.up[i](x + seen[i])
        logits = nn.functional.pixel_shuffle(self.head(x), 2)
        return logits[..., margin : logits.shape[-2] - margin, margin : logits.shape[-1] - margin]
