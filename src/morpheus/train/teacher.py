"""Distillation: what another model says of the examples, while a network is trained on them.

The teacher sees each example as it was augmented, so its answers are those for this depth, this PSF
and these errors of alignment. Every pixel is asked about once, in one window. The published network
looks at a pixel through 900 windows and takes the mean; over many examples the network that learns
sees this mean (Hinton et al. 2015, arXiv:1503.02531, for soft targets in general).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.errors import OptionError
from morpheus.inference import InferenceOptions, make_engine
from morpheus.model import find_model, load_model
from morpheus.model.config import UNetConfig
from morpheus.mosaic.units import same_unit
from morpheus.train.data import needed_bands
from morpheus.train.options import TrainOptions
from morpheus.train.prepared import Prepared, standardise

__all__ = ["HEADS", "N_TAUGHT", "Teacher", "merged"]

N_TAUGHT = BACKGROUND
"""Outputs beside those of the classes: what the teacher says of the classes of sources."""

HEADS = len(CLASS_NAMES) + N_TAUGHT
"""Outputs of a network that learns from a teacher."""

_SEEN = 0.5  # most probability of background where the teacher's word on the class counts


class Teacher:
    """A model that is asked about examples.

    Parameters
    ----------
    options : TrainOptions
        Says which one, and of which bands the examples are.
    cards : sequence of dict
        Of the datasets.

    Raises
    ------
    ModelError
        If there is no such model, or it is damaged.
    OptionError
        If it cannot teach this one: it is of another kind, has bands that the examples lack, or
        was trained on images in another unit.
    """

    def __init__(self, options: TrainOptions, cards: Sequence[dict[str, Any]]) -> None:
        self.model = load_model(find_model(options.teacher.model))
        config = self.model.config
        if not isinstance(config.network, UNetConfig) or config.classes != CLASS_NAMES:
            raise OptionError(
                f"{config.name} cannot be the teacher: it must have the published architecture and"
                " classes; 'morpheus dataset distil' takes any model"
            )
        bands = needed_bands(options.model.bands, options.model.alternatives)
        missing = [band for band in config.bands if band not in bands]
        if missing:
            raise OptionError(
                f"the teacher {config.name} needs {missing[0]}, which is neither a band of the"
                " model nor an alternative"
            )
        units = {str(card["unit"]) for card in cards}
        if not all(same_unit(unit, config.unit) for unit in units):
            raise OptionError(
                f"the teacher {config.name} was trained on images in {config.unit}, and the data"
                f" are in {' and '.join(sorted(units))}: what it says means little there"
            )
        self.channels = [bands.index(band) for band in config.bands]
        self.engine: Any = None  # made where it is used: not in each process that reads examples

    def taught(self, batch: Prepared) -> Tensor:
        """Say what the classes of sources are.

        Parameters
        ----------
        batch : Prepared
            Examples.

        Returns
        -------
        Tensor, shape (n, 4, y, x)
            Shares of the classes, which add up to the share of source in the labels. Where the
            teacher is not asked they are those of the labels; all 0 where it is asked and does not
            see a source, or cannot look: in the outer pixels, and beside pixels without data.
        """
        window = self.model.config.window
        labels = batch.classes[:, :BACKGROUND]
        side = batch.owner.shape[-1]
        answers = torch.zeros_like(labels)
        starts = range(0, side - window.size + 1, window.inner)
        corners = [(k, y, x) for k in range(len(labels)) for y in starts for x in starts]
        inner = slice(window.margin, window.size - window.margin)
        windows, places = [], []
        for k, y, x in corners:
            rows, columns = (slice(c, c + window.size) for c in (y, x))
            if not batch.asked[k, rows, columns][inner, inner].any():
                continue
            pixels = batch.shown[k, self.channels, rows, columns]
            if torch.isfinite(pixels).all():
                windows.append(pixels)
                places.append((k, y + window.margin, x + window.margin))
        if windows:
            said = self._ask(standardise(torch.stack(windows)))
            seen = said[:, BACKGROUND] < _SEEN
            shares = said[:, :BACKGROUND] / (1 - said[:, BACKGROUND:]).clamp(min=1e-6)
            shares = torch.where(seen[:, None], shares, 0.0).to(answers.device)
            for (k, y, x), one in zip(places, shares, strict=True):
                answers[k, :, y : y + window.inner, x : x + window.inner] = one
        answers = answers * labels.sum(1, keepdim=True)
        return torch.where(batch.asked[:, None], answers, labels)

    def _ask(self, windows: Tensor) -> Tensor:
        """Evaluate the network."""
        if self.engine is None:
            device = windows.device
            options = InferenceOptions(
                device=str(device), threads=torch.get_num_threads(), precision="auto"
            )
            self.engine = make_engine(self.model, options)
        data = np.ascontiguousarray(windows.cpu().numpy())
        step = self.engine.batch_size
        parts = [data[i : i + step] for i in range(0, len(data), step)]
        with ThreadPoolExecutor(self.engine.workers) as pool:
            return torch.from_numpy(np.concatenate(list(pool.map(self.engine, parts))))


def merged(logits: Tensor, share: float, axis: int = 1) -> Tensor:
    """Take the weighted mean of what was learnt from the labels and from the teacher.

    Parameters
    ----------
    logits : Tensor
        With the five classes, then the teacher's four, along an axis; or the weights that make
        them: the mean is linear.
    share : float
        Weight of the teacher's part.
    axis : int, optional
        Of the classes.

    Returns
    -------
    Tensor
        With the five classes.
    """
    own, background, teacher = torch.split(logits, [BACKGROUND, 1, N_TAUGHT], axis)
    return torch.cat([(1 - share) * own + share * teacher, background], axis)
