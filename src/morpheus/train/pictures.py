"""Pictures of what a network makes of a few examples, after each epoch."""

from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from morpheus.classes import BACKGROUND, CLASSES
from morpheus.train.batches import Batches
from morpheus.train.module import Training, network_input
from morpheus.train.options import TrainOptions

__all__ = ["Pictures"]

_SHOWN = 4


class Pictures(Callback):
    """Draws the same examples after each epoch: image, truth, and what the network says.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    options : TrainOptions
        Of the training.
    """

    def __init__(self, folder: Path, options: TrainOptions) -> None:
        self.folder, self.options = folder, options

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Take the first of the examples for validation."""
        del pl_module
        data = trainer.datamodule.data  # type: ignore[attr-defined]
        self.batch = Batches(data, self.options, 0, 1, validation=True)[0]

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw."""
        if not trainer.is_global_zero or not isinstance(pl_module, Training):
            return
        inputs = network_input(self.batch, self.options).to(pl_module.device)
        with torch.inference_mode():
            said = torch.softmax(pl_module(inputs).float(), 1).cpu()
        figure = self._figure(said, trainer.current_epoch + 1)
        self.folder.mkdir(exist_ok=True)
        file = self.folder / f"epoch_{trainer.current_epoch + 1:04d}.png"
        figure.savefig(file.with_suffix(".partial"), dpi=110, format="png")
        file.with_suffix(".partial").rename(file)

    def _figure(self, said: Tensor, epoch: int) -> Figure:
        batch, n = self.batch, min(_SHOWN, len(said))
        figure = Figure(figsize=(2.2 * n, 7.0), layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.subplots(3, n, squeeze=False)
        for column in range(n):
            image = (batch.images[column] - batch.sky[column, :, None, None]) / batch.noise[
                column, :, None, None
            ]
            there = batch.valid[column].float()
            mean = ((image * there).sum(0) / there.sum(0).clamp(min=1)).numpy()
            axes[0, column].imshow(np.arcsinh(mean), cmap="gray_r", vmin=-1, vmax=4, origin="lower")
            for row, maps in ((1, batch.classes[column]), (2, said[column])):
                axes[row, column].imshow(_colors(maps.numpy()), origin="lower")
        for row, name in enumerate(("image / noise", "truth", f"after epoch {epoch}")):
            axes[row, 0].set_ylabel(name)
        for ax in axes.flat:
            ax.set_xticks([])
            ax.set_yticks([])
        handles = [
            axes[0, 0].scatter([], [], color=one.color, label=one.label)
            for one in CLASSES[:BACKGROUND]
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
        return figure


def _colors(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix the colours of the classes by their probabilities; sky is white, unknown is grey."""
    colors = np.array([one.rgb for one in CLASSES[:BACKGROUND]])
    source = maps[:BACKGROUND]
    mixed = np.tensordot(source, colors, axes=(0, 0)) + maps[BACKGROUND][..., None]
    mixed[maps.sum(0) == 0] = 0.8
    clipped: NDArray[np.float32] = np.clip(mixed, 0, 1).astype(np.float32)
    return clipped
