"""Augmented examples, and what they are as a network's input."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

__all__ = ["Prepared", "sky_noise_input", "standardise", "window_input"]


@dataclass(frozen=True)
class Prepared:
    """A batch as a network takes it.

    Parameters
    ----------
    images : Tensor, shape (n, band, y, x)
        In units of the data; 0 where there is none.
    valid : Tensor of bool, shape (n, band, y, x)
        Where there is data.
    sky, noise : Tensor, shape (n, band)
        Level and standard deviation of blank pixels, as they would be measured.
    classes : Tensor, shape (n, 5, y, x)
        Shares of the classes; all 0 where nothing is known or seen.
    owner : Tensor of int32, shape (n, y, x)
        Number of the source.
    weight : Tensor, shape (n, y, x)
        Of the class of a pixel.
    asked : Tensor of bool, shape (n, y, x)
        Whether a teacher is asked about the source of the pixel.
    shown : Tensor, shape (n, band, y, x)
        What a teacher sees: the model's bands and their alternatives, all of them, before some are
        left out or masked; NaN where there is no data.
    taught : Tensor, shape (n, 4, y, x) or None
        What a teacher says of the classes of sources; all 0 where it does not count.
    """

    images: Tensor
    valid: Tensor
    sky: Tensor
    noise: Tensor
    classes: Tensor
    owner: Tensor
    weight: Tensor
    asked: Tensor
    shown: Tensor
    taught: Tensor | None = None

    def to(self, device: torch.device) -> "Prepared":
        """Move to a device.

        Parameters
        ----------
        device : torch.device
            Where to.

        Returns
        -------
        Prepared
            There.
        """
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        there = {name: one for name, one in tensors.items() if one is not None}
        return replace(
            self, **{name: one.to(device, non_blocking=True) for name, one in there.items()}
        )

    def cut(self, inside: slice) -> "Prepared":
        """Cut a square out.

        Parameters
        ----------
        inside : slice
            Its rows, and its columns.

        Returns
        -------
        Prepared
            Views; level and noise as before.
        """
        planes = ("images", "valid", "classes", "owner", "weight", "asked", "shown", "taught")
        there = {name: getattr(self, name) for name in planes if getattr(self, name) is not None}
        return replace(self, **{name: one[..., inside, inside] for name, one in there.items()})


def sky_noise_input(batch: Prepared) -> Tensor:
    """Normalise by the sky's level and noise; see `morpheus.model.normalise`.

    Parameters
    ----------
    batch : Prepared
        The batch.

    Returns
    -------
    Tensor, shape (n, 2 * band, y, x)
        Normalised bands, and where they have data.
    """
    values = torch.asinh((batch.images - batch.sky[..., None, None]) / batch.noise[..., None, None])
    return torch.cat([torch.where(batch.valid, values / 2, 0.0), batch.valid.float()], 1)


def window_input(batch: Prepared) -> Tensor:
    """Standardise each window jointly over its bands; see `morpheus.model.normalise`.

    Parameters
    ----------
    batch : Prepared
        The batch.

    Returns
    -------
    Tensor, shape (n, band, y, x)
        Standardised windows.
    """
    return standardise(batch.images, batch.valid)


def standardise(images: Tensor, there: Tensor | None = None) -> Tensor:
    """Standardise windows jointly over their bands; see `morpheus.model.normalise`.

    Parameters
    ----------
    images : Tensor, shape (n, band, y, x)
        Windows.
    there : Tensor of bool, shape (n, band, y, x), optional
        Where there is data; only pixels that all bands have count. By default everywhere.

    Returns
    -------
    Tensor, shape (n, band, y, x)
        Standardised windows, 0 where there is no data.
    """
    there = torch.ones_like(images[:, :1], dtype=torch.bool) if there is None else there
    valid = there.all(1, keepdim=True).float().expand_as(images)
    count = valid.sum((1, 2, 3), keepdim=True).clamp(min=1)
    values = images * valid
    for _ in range(2):
        values = (values - values.sum((1, 2, 3), keepdim=True) / count) * valid
    std = (values.square().sum((1, 2, 3), keepdim=True) / count).sqrt()
    return values / torch.maximum(std, count.rsqrt())
