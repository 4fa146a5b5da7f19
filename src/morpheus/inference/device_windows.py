"""What is done to windows on PyTorch's device: cut, standardised, and summed as integers."""

import torch
from torch import Tensor

from morpheus.inference.accumulate import PROBABILITY_BITS
from morpheus.inference.blocks import Block

__all__ = ["standardise", "sum_along_x", "windows_of"]

_SCALE = float(1 << PROBABILITY_BITS)


def windows_of(pixels: Tensor, size: int) -> Tensor:
    """View an image as all its windows.

    Parameters
    ----------
    pixels : Tensor, shape (band, y, x)
        The image. It is copied with its bands last.
    size : int
        Side of a window.

    Returns
    -------
    Tensor, shape (y, x, size, size, band)
        By the windows' first pixels.
    """
    last = pixels.permute(1, 2, 0).contiguous()
    return last.unfold(0, size, 1).unfold(1, size, 1).permute(0, 1, 3, 4, 2)


def standardise(windows: Tensor, valid: Tensor | None = None) -> Tensor:
    """Do what `morpheus.model.normalise.standardise_jointly` does, on any device.

    Parameters
    ----------
    windows : Tensor of float32, shape (n, y, x, band)
        Finite pixel values.
    valid : Tensor of bool, shape (n, y, x, 1), optional
        False where a pixel takes no part. All pixels are valid if None.

    Returns
    -------
    Tensor of float32, shape (n, band, y, x)
        Standardised windows in memory format `channels_last`; they depend on nothing but the
        window.
    """
    flat = windows.flatten(1)
    if valid is None:
        weight = None
        # A tensor on the device: by a number PyTorch would divide in another way.
        count = flat.new_full((1, 1), flat.shape[1])
    else:
        weight = valid.expand_as(windows).flatten(1).to(flat.dtype)
        count = (valid.flatten(1).sum(1, keepdim=True) * windows.shape[-1]).clamp(min=1)
        count = count.to(flat.dtype)
        flat = flat * weight
    for _ in range(2):  # the second mean mends the rounding of the first
        flat = flat - _row_totals(flat) / count
        if weight is not None:
            flat *= weight
    deviation = (_row_totals(flat * flat) / count).sqrt()
    flat /= torch.maximum(deviation, 1 / count.sqrt())
    return flat.view_as(windows).permute(0, 3, 1, 2)


def _row_totals(values: Tensor) -> Tensor:
    """Sum each row, halves onto each other.

    PyTorch's own sum chooses an order that depends on the number of rows.
    """
    while (n := values.shape[1]) > 1:
        half = n // 2
        folded = values[:, :half] + values[:, half : 2 * half]
        values = torch.cat((folded, values[:, 2 * half :]), 1) if n % 2 else folded
    return values


def sum_along_x(probabilities: Tensor, block: Block) -> Tensor:
    """Sum the windows of each row of a block.

    Along one axis first: 30 + 30 additions of large arrays, in place of 30 x 30.

    Parameters
    ----------
    probabilities : Tensor of float32, shape (n, class, inner, inner)
        Of a block's windows.
    block : Block
        Where they lie.

    Returns
    -------
    Tensor of int64, shape (inner, 3, class, rows, x)
        For each row of the windows, sums of p, p^2 and votes.
    """
    rows, columns = block.rows, block.columns
    by_window = probabilities.reshape(rows, columns, *probabilities.shape[1:])
    # (x in window, class, row, y in window, column)
    by_place = by_window.permute(4, 2, 0, 3, 1).contiguous()
    inner, n_classes = by_place.shape[:2]
    terms = torch.empty((3, *by_place.shape), dtype=torch.int64, device=by_place.device)
    terms[0] = torch.round(by_place * _SCALE)
    torch.mul(terms[0], terms[0], out=terms[1])
    # The first of equals. What is not a number gets no vote, and is found by that.
    ranks = torch.arange(n_classes, device=by_place.device)[:, None, None, None]
    terms[2] = (by_place.argmax(1, keepdim=True) == ranks) & ~by_place.isnan()
    shape = (3, n_classes, rows, inner, (columns - 1) * block.step + inner)
    sums = torch.zeros(shape, dtype=torch.int64, device=by_place.device)
    for x in range(inner):
        sums[..., x : x + (columns - 1) * block.step + 1 : block.step] += terms[:, x]
    return sums.permute(3, 0, 1, 2, 4)
