"""Batches: examples drawn and augmented, ready for the network."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from morpheus.train.augment import augment, padded_side
from morpheus.train.data import Unpacked
from morpheus.train.examples import Draws, Example
from morpheus.train.options import TrainOptions
from morpheus.train.prepared import Prepared

__all__ = ["Batches"]


class Batches(TorchDataset[Prepared]):
    """Batches of augmented examples: the i-th depends on the options and on i only.

    They are made where the loader reads them, so that its processes share the work.

    Parameters
    ----------
    data : sequence of Unpacked
        Where the examples are from.
    options : TrainOptions
        What is done to them.
    start : int
        Number of the first batch.
    n : int
        How many.
    validation : bool, optional
        Whether they are of the part for validation.
    """

    def __init__(
        self,
        data: Sequence[Unpacked],
        options: TrainOptions,
        start: int,
        n: int,
        *,
        validation: bool = False,
    ) -> None:
        self.options, self.start, self.n, self.validation = options, start, n, validation
        size = options.optimiser.batch
        side = padded_side(options.optimiser.crop, options.augment)
        self.draws = Draws(data, options, start * size, n * size, side, validation=validation)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Prepared:
        options, size = self.options, self.options.optimiser.batch
        examples = Example.stack([self.draws[index * size + k] for k in range(size)])
        numbers = (options.seed, int(self.validation), self.start + index)
        state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) % 2**63)
        crop = options.optimiser.crop
        return augment(examples, crop, options.model, options.augment, generator)

    def loader(self, workers: int = 0) -> DataLoader[Prepared]:
        """Give them one after another.

        Parameters
        ----------
        workers : int, optional
            Processes that make them; 0: the one that asks.

        Returns
        -------
        DataLoader
            In their order.
        """
        return DataLoader(self, batch_size=None, num_workers=workers)
