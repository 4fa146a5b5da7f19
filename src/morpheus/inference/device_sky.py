"""What the normaliser 'sky-noise' does, on PyTorch's device."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morpheus.inference.engine import TorchEngine
from morpheus.model.normalise import SkyNormaliser

__all__ = ["evaluate_from_the_sky", "normalise_from_the_sky"]

_LARGEST = 1e18  # in units of the noise: as bright as can be


def evaluate_from_the_sky(
    engine: TorchEngine,
    normaliser: SkyNormaliser,
    windows: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Normalise and evaluate windows where the network is.

    Parameters
    ----------
    engine : TorchEngine
        The network and its device.
    normaliser : SkyNormaliser
        The sky of each band.
    windows : ndarray of float32, shape (n, band, y, x)
        Finite pixel values of the bands that are there.
    valid : ndarray of bool, shape (n, y, x)
        False where a pixel is invalid.

    Returns
    -------
    ndarray of float32, shape (n, class, y, x) without margins
        Probabilities of the part of each window that counts.
    """
    with torch.inference_mode():
        pixels, good = (torch.from_numpy(each).to(engine.device) for each in (windows, valid))
        inputs = normalise_from_the_sky(pixels, good, normaliser)
        probabilities: NDArray[np.float32] = engine.probabilities(inputs).cpu().numpy()
    return probabilities


def normalise_from_the_sky(windows: Tensor, valid: Tensor, normaliser: SkyNormaliser) -> Tensor:
    """Do what a `SkyNormaliser` does, on any device.

    Parameters
    ----------
    windows : Tensor of float32, shape (n, band, y, x)
        Finite pixel values of the bands that are there.
    valid : Tensor of bool, shape (n, y, x)
        False where a pixel is invalid.
    normaliser : SkyNormaliser
        The sky of each band.

    Returns
    -------
    Tensor of float32, shape (n, 2 * all bands, y, x)
        The normalised bands, and where they have valid pixels, in memory format `channels_last`.
    """
    n, _, height, width = windows.shape
    n_bands = len(normaliser.skies)
    result = torch.empty(
        (n, 2 * n_bands, height, width),
        dtype=torch.float32,
        device=windows.device,
        memory_format=torch.channels_last,
    ).zero_()
    there = [(i, sky) for i, sky in enumerate(normaliser.skies) if sky is not None]
    for k, (channel, sky) in enumerate(there):
        noises = (windows[:, k] - float(np.float32(sky.level))) / float(np.float32(sky.noise))
        result[:, channel] = 0.5 * noises.clamp(-_LARGEST, _LARGEST).asinh() * valid
        result[:, n_bands + channel] = valid
    return result
