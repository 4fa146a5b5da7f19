"""How good a network is on crops, while it is trained."""

import torch
from torch import Tensor

from morpheus.classes import BACKGROUND
from morpheus.train.prepared import Prepared

__all__ = ["Scores"]

_LEAST_PIXELS = 12  # of a source, for its class to count


class Scores:
    """Gathers, batch by batch, what is to be known of the pixels and of the sources.

    Attributes
    ----------
    sums : Tensor of float64, shape (5,)
        Pixels that are source in truth and in the prediction, and in either; sources, those with
        the right class, and their summed cross-entropies. What several processes have gathered is
        added up.
    """

    def __init__(self) -> None:
        self.sums = torch.zeros(5, dtype=torch.float64)

    def add(self, probabilities: Tensor, batch: Prepared) -> None:
        """Take a batch into account.

        Parameters
        ----------
        probabilities : Tensor, shape (n, 5, y, x)
            What the network says.
        batch : Prepared
            What is true.
        """
        known = batch.classes.sum(1) > 0
        source = (batch.classes[:, BACKGROUND] < 0.5) & known  # noqa: PLR2004
        found = (probabilities[:, BACKGROUND] < 0.5) & known  # noqa: PLR2004
        p, t = _by_source(probabilities, batch, source)
        sums = (
            float((source & found).sum()),
            float((source | found).sum()),
            float(len(p)),
            float((p.argmax(1) == t.argmax(1)).sum()),
            float(-(t * p.clamp(min=1e-6).log()).sum()),
        )
        self.sums += torch.tensor(sums, dtype=torch.float64)

    def result(self) -> dict[str, float]:
        """Sum up.

        Returns
        -------
        dict of str to float
            'iou' of the pixels of sources, and 'top1' and 'entropy' of their classes: the share
            whose class of most probability is that of most votes, and the mean cross-entropy.
        """
        both, either, n, right, entropy = self.sums.tolist()
        numbers = {"iou": both / max(1.0, either)}
        return numbers | ({"top1": right / n, "entropy": entropy / n} if n else {})


def _by_source(probabilities: Tensor, batch: Prepared, source: Tensor) -> tuple[Tensor, Tensor]:
    """Mean probabilities and shares over the pixels of each source, normalised to the classes."""
    n = len(batch.owner)
    owner = torch.where(source, batch.owner, 0).long()
    width = int(owner.max()) + 1
    label = (owner + width * torch.arange(n, device=owner.device)[:, None, None]).flatten()
    sums = []
    for maps in (probabilities, batch.classes):
        planes = maps[:, :BACKGROUND].movedim(1, -1).reshape(-1, BACKGROUND).double()
        total = torch.zeros(n * width, BACKGROUND, dtype=torch.float64, device=owner.device)
        sums.append(total.index_add_(0, label, planes))
    area = torch.bincount(label, minlength=n * width)
    kept = (area >= _LEAST_PIXELS) & (torch.arange(n * width, device=owner.device) % width > 0)
    p, t = ((s[kept] / s[kept].sum(1, keepdim=True).clamp(min=1e-9)).cpu() for s in sums)
    return p, t
