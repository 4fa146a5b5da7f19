"""The curve of a training: a row for each epoch, as CSV."""

import csv
import io
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from morpheus.train.processes import is_first

__all__ = ["History"]

Row = dict[str, float]


class History(Callback):
    """Keeps a row for each epoch, in the state of the training and in a file.

    Parameters
    ----------
    path : Path
        Of the CSV file.
    progress : callable, optional
        Is given each row.
    step : callable, optional
        Is told the number of steps that are done, and of all.
    """

    def __init__(
        self,
        path: Path,
        progress: Callable[[Row], None] | None = None,
        step: Callable[[int, int], None] | None = None,
    ) -> None:
        self.path, self.progress, self.step = path, progress, step
        self.rows: list[Row] = []
        self._began = time.monotonic()

    @property
    def failed(self) -> bool:
        """Whether the validation loss of the last epoch is not a number."""
        return bool(self.rows) and not math.isfinite(self.rows[-1]["val_loss"])

    def state_dict(self) -> dict[str, Any]:
        """Give what is kept with the state of the training."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows of the epochs that are done."""
        self.rows = list(state_dict["rows"])
        for row in self.rows:
            self._tell(row)

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin to measure the time."""
        del trainer, pl_module
        self._began = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Tell how far it is."""
        del pl_module, args, kwargs
        if self.step is not None and trainer.is_global_zero:
            self.step(trainer.global_step, int(trainer.estimated_stepping_batches))

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Add the row of an epoch, before the state of the training is saved."""
        del pl_module
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        seconds = round(time.monotonic() - self._began, 2)
        epoch = trainer.current_epoch + 1
        row = {"epoch": epoch, "step": trainer.global_step, **metrics, "seconds": seconds}
        self.rows.append(row)
        if trainer.is_global_zero:
            self._write()
        self._tell(row)

    def _tell(self, row: Row) -> None:
        if self.progress is not None and is_first():
            self.progress(row)

    def _write(self) -> None:
        text = io.StringIO()
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(self.rows)
        temporary = self.path.with_suffix(".partial")
        temporary.write_text(text.getvalue(), encoding="utf-8")
        temporary.rename(self.path)
