"""The U-Net of Hausen & Robertson (2020) in PyTorch, for GPUs and for training."""

import torch
from torch import Tensor, nn

from morpheus.model.config import UNetConfig
from morpheus.model.resample import bicubic_doubling

__all__ = ["UNet"]


class _Block(nn.Module):
    """Batch normalisation, 3x3 convolution, ReLU: in this order, as published."""

    def __init__(self, n_in: int, n_out: int, epsilon: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(n_in, eps=epsilon)
        self.conv = nn.Conv2d(n_in, n_out, kernel_size=3)

    def forward(self, x: Tensor, *, pad: bool) -> Tensor:
        # The padding comes after the normalisation: a padded pixel is 0 *there*.
        x = self.norm(x)
        if pad:
            x = nn.functional.pad(x, (1, 1, 1, 1))
        return torch.relu(self.conv(x))


class UNet(nn.Module):
    """Semantic segmentation network (Hausen & Robertson 2020, section 3.2).

    Parameters
    ----------
    config : UNetConfig
        Number of blocks, convolutions and filters.
    n_bands : int
        Input channels.
    n_classes : int
        Output channels.
    """

    def __init__(self, config: UNetConfig, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.config = config
        channels = config.block_channels(n_bands)
        blocks = {
            name: _Block(n_in, n_out, config.batch_norm_epsilon)
            for name, (n_in, n_out) in channels.items()
        }
        depth = range(config.depth)
        self.down = nn.ModuleList(
            nn.ModuleList(blocks[f"down.{i}.{j}"] for j in range(config.down_convolutions))
            for i in depth
        )
        self.middle = blocks["middle"]
        self.up = nn.ModuleList(
            nn.ModuleList(blocks[f"up.{i}.{j}"] for j in range(config.up_convolutions))
            for i in depth
        )
        self.head = nn.Conv2d(config.up_filters[-1], n_classes, kernel_size=3)

    def forward(self, x: Tensor, margin: int = 0) -> Tensor:
        """Compute the logits of every pixel.

        Parameters
        ----------
        x : Tensor, shape (n, band, y, x)
            Normalised windows; y and x divisible by 2 to the power of the depth.
        margin : int, optional
            Outer pixels of the result to leave out. From `config.context` pixels on they are not
            computed in the first place, and the result inside is the same.

        Returns
        -------
        Tensor, shape (n, class, y - 2 margin, x - 2 margin)
            Logits.
        """
        trim = margin - self.config.context  # < 0: too near the edge to leave the padding out
        skips = []
        for down in self.down:
            for block in down:  # type: ignore[attr-defined]
                x = block(x, pad=True)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.middle(x, pad=True)
        for i, (up, skip) in enumerate(zip(self.up, reversed(skips), strict=True)):
            last = i == len(self.up) - 1 and trim >= 0
            x = torch.cat([_upsample(x, trim if last else 0), _crop(skip, trim if last else 0)], 1)
            for block in up:  # type: ignore[attr-defined]
                x = block(x, pad=not last)
        if trim >= 0:
            return self.head(x)  # type: ignore[no-any-return]
        return _crop(self.head(nn.functional.pad(x, (1, 1, 1, 1))), margin)


def _upsample(x: Tensor, margin: int) -> Tensor:
    """Double the resolution, leaving out `margin` pixels around the result."""
    rows, columns = (
        _crop_rows(torch.from_numpy(bicubic_doubling(n).copy()), margin).to(x) for n in x.shape[-2:]
    )
    return rows @ x @ columns.T


def _crop_rows(matrix: Tensor, margin: int) -> Tensor:
    return matrix[margin : matrix.shape[0] - margin]


def _crop(x: Tensor, margin: int) -> Tensor:
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]
