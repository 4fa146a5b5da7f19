"""A whole training: from a configuration to a model folder."""

import contextlib
import dataclasses
import json
import logging
import math
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from morpheus.errors import DatasetError, OptionError, ProductError
from morpheus.model import Model, ModelConfig, find_model, load_model
from morpheus.mosaic.products import write_json
from morpheus.mosaic.units import parse_unit
from morpheus.provenance import now, software
from morpheus.train.batches import Batches
from morpheus.train.calibrate import calibrated
from morpheus.train.data import Unpacked, open_datasets, unpack
from morpheus.train.fine_tuning import started_from
from morpheus.train.history import History
from morpheus.train.module import Training
from morpheus.train.options import TrainOptions
from morpheus.train.pictures import Pictures
from morpheus.train.prepared import Prepared
from morpheus.train.processes import is_first
from morpheus.train.teacher import Teacher

__all__ = ["Devices", "Trained", "train"]

CONFIG_FILE, HISTORY_FILE, REPORT_FILE = "config.toml", "history.csv", "report.json"
MADE_FROM_FILE = "made_from.json"
_UNPACKED, _CHECKPOINTS, _LOGS, _PICTURES = "unpacked", "checkpoints", "logs", "pictures"
_BEST, _LAST = "best", "last"
_SAME_SCALE = 1.01  # largest ratio of pixel scales of datasets that are trained on together

Row = dict[str, float]


@dataclass(frozen=True)
class Devices:
    """Where to train, as Lightning takes it.

    Parameters
    ----------
    accelerator : str, optional
        'auto', 'cpu', 'gpu', ...
    devices : int or str, optional
        How many, or which, such as '0,1'.
    nodes : int, optional
        Machines.
    strategy : str, optional
        How several work together: 'auto', 'ddp', ...
    workers : int, optional
        Processes that read examples beside each that trains; 0: none.
    """

    accelerator: str = "auto"
    devices: int | str = "auto"
    nodes: int = 1
    strategy: str = "auto"
    workers: int = 0


@dataclass(frozen=True)
class Trained:
    """What a training gives.

    Parameters
    ----------
    model : Model
        Calibrated.
    history : list of dict
        A row for each epoch.
    report : dict
        What was trained, on what, and with which software.
    """

    model: Model
    history: list[Row]
    report: dict[str, Any]


def train(
    options: TrainOptions,
    folder: Path,
    *,
    devices: Devices | None = None,
    progress: Callable[[Row], None] | None = None,
    step: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train a model; go on with it where an earlier call was ended.

    Parameters
    ----------
    options : TrainOptions
        What, on what, and how.
    folder : Path
        Of the training: configuration, state, history, logs and pictures. If a training with the
        same options was begun there, it is gone on with, to the same curve.
    devices : Devices, optional
        Where to train.
    progress : callable, optional
        Is given the row of each epoch.
    step : callable, optional
        Is told the number of steps that are done, and of all.

    Returns
    -------
    Trained
        The model of the epoch with the least validation loss, calibrated on what was kept for
        validation. Where several processes train, the first returns; the others end.

    Raises
    ------
    DatasetError
        If a dataset cannot be used, or gave no numbers to train on.
    OptionError
        If another training was begun in the folder, or the devices are not there.
    ModelError
        If the model to start from, or to learn from, is not there or damaged.
    ProductError
        If a file cannot be written.
    """
    devices = Devices() if devices is None else devices
    start = None if not options.start else load_model(find_model(options.start))
    if start is not None:
        options = started_from(start, options)
    started = now()
    # All that can be wrong with what was asked for is found out before anything is written.
    cards = [store.card for store in open_datasets(options)]
    config = _config(options, cards, start)
    teacher = Teacher(options, cards) if options.teacher.model else None
    made_from = {
        "data": [card["checksum"] for card in cards],
        "start": "" if start is None else start.config.weights_sha256,
        "teacher": "" if teacher is None else teacher.model.config.weights_sha256,
    }
    history = History(folder / HISTORY_FILE, progress, step)
    try:
        # The random numbers of who calls this stay as they are.
        with _quiet(), torch.random.fork_rng(devices=[]):
            trainer = _trainer(options, folder, devices, history)
            if is_first():
                _begin(options, made_from, folder)
            data = unpack(options, folder / _UNPACKED)
            module = Training(options, config, teacher)
            module.initialise(start)
            _fit(trainer, module, options, data, devices, folder)
            if not trainer.is_global_zero:
                raise SystemExit(0)
            best = _best(module, history.rows, folder)
            model, temperatures = calibrated(best, options, data)
        report = _report(options, data, history, temperatures) | {"started": started}
        write_json(folder / REPORT_FILE, report, overwrite=True)
        shutil.rmtree(folder / _UNPACKED)
    except OSError as error:
        raise ProductError(f"cannot write to {folder}: {error.strerror or error}") from error
    return Trained(model, history.rows, report)


def _begin(options: TrainOptions, made_from: dict[str, Any], folder: Path) -> None:
    """Write the configuration and what it stands for, or check that they are as they were."""
    text = options.to_toml()
    file = folder / CONFIG_FILE
    if file.is_file():
        if file.read_text(encoding="utf-8") != text:
            raise OptionError(
                f"{folder} holds a training with another configuration ({file}); choose another"
                " folder, or remove it"
            )
        if json.loads((folder / MADE_FROM_FILE).read_text(encoding="utf-8")) != made_from:
            raise OptionError(
                f"{folder} holds a training with other data, or from another model, though of the"
                " same names; choose another folder, or remove it"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise OptionError(f"{folder} exists and holds no training; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / MADE_FROM_FILE, made_from, overwrite=True)
    temporary = file.with_suffix(".partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.rename(file)


def _config(
    options: TrainOptions, cards: Sequence[dict[str, Any]], start: Model | None
) -> ModelConfig:
    scales = {card["pixel_scale"] for card in cards}
    if None in scales:
        raise DatasetError("a dataset does not know its pixel scale; build it with --pixel-scale")
    if start is not None:
        scales.add(start.config.pixel_scale)
    if max(scales) > _SAME_SCALE * min(scales):
        raise DatasetError(
            f"the datasets{'' if start is None else ', or the model to start from,'} have pixels of"
            f" {' and '.join(f'{s:g}' for s in sorted(scales))} arcsec; a model is for one pixel"
            " scale"
        )
    units = {_unit(str(card["unit"])) for card in cards}
    if start is not None:
        units.add(start.config.unit)
    if options.model.normaliser == "joint-window" and len(units) > 1:
        raise DatasetError(
            f"the units are {' and '.join(sorted(unit or 'none' for unit in units))}; the published"
            " architecture is for images of one unit"
        )
    return ModelConfig(
        name=options.name,
        bands=options.model.bands,
        pixel_scale=float(cards[0]["pixel_scale"]),
        unit=_unit(str(cards[0]["unit"])),
        window=options.model.window,
        normaliser=options.model.normaliser,
        network=options.model.network,
        alternatives=options.model.alternatives,
        detection=options.detection,
    )


def _unit(written: str) -> str:
    """Give a unit as astropy writes it; without one, images are just numbers."""
    unit = parse_unit(written)
    return "" if unit is None else str(unit.to_string())


class _Patience(EarlyStopping):
    """Ends a training that gets no better, also one that had ended so when it was interrupted."""

    def __init__(self, history: History, patience: int) -> None:
        super().__init__("val_loss", patience=patience)
        self.history = history

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        del pl_module
        over = self.wait_count >= self.patience or self.history.failed
        trainer.should_stop = trainer.should_stop or over


def _trainer(
    options: TrainOptions,
    folder: Path,
    devices: Devices,
    history: History,
) -> lightning.Trainer:
    # Without patience, it still ends when the validation loss is no number any more.
    patience = options.validation.patience or options.optimiser.epochs + 1
    callbacks: list[Callback] = [
        # Two, since the last state is to be saved after every epoch, not only after the best.
        *(
            ModelCheckpoint(
                folder / _CHECKPOINTS,
                filename=name,
                monitor=monitor,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            )
            for name, monitor in ((_BEST, "val_loss"), (_LAST, None))
        ),
        history,
        Pictures(folder / _PICTURES, options),
        _Patience(history, patience),
    ]
    precision = "bf16-mixed" if options.optimiser.precision == "bfloat16" else "32-true"
    try:
        return lightning.Trainer(
            accelerator=devices.accelerator,
            devices=devices.devices,
            num_nodes=devices.nodes,
            strategy=devices.strategy,
            precision=precision,  # type: ignore[arg-type]
            max_epochs=options.optimiser.epochs,
            reload_dataloaders_every_n_epochs=1,
            logger=TensorBoardLogger(folder, _LOGS, version=""),
            callbacks=callbacks,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            gradient_clip_val=1.0,
        )
    except (
        ValueError,
        RuntimeError,
        TypeError,
        ImportError,
        MisconfigurationException,
    ) as error:
        reason = str(error).strip().splitlines()[0]
        raise OptionError(f"cannot train on these devices: {reason}") from error


class _Loaders(lightning.LightningDataModule):
    """The examples of each epoch; their numbers go on from epoch to epoch."""

    def __init__(self, options: TrainOptions, data: Sequence[Unpacked], workers: int) -> None:
        super().__init__()
        self.options, self.data, self.workers = options, data, workers

    def train_dataloader(self) -> DataLoader[Prepared]:
        assert self.trainer is not None  # noqa: S101 (for the type checker)
        n = self.options.optimiser.steps * self.trainer.world_size
        first = self.trainer.current_epoch * n
        return Batches(self.data, self.options, first, n).loader(self.workers)

    def val_dataloader(self) -> DataLoader[Prepared]:
        n = -(-self.options.validation.examples // self.options.optimiser.batch)
        return Batches(self.data, self.options, 0, n, validation=True).loader(self.workers)


def _fit(
    trainer: lightning.Trainer,
    module: Training,
    options: TrainOptions,
    data: Sequence[Unpacked],
    devices: Devices,
    folder: Path,
) -> None:
    last = folder / _CHECKPOINTS / f"{_LAST}.ckpt"
    loaders = _Loaders(options, data, devices.workers)
    ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        # Only tensors and plain values are read from the state, no code.
        trainer.fit(
            module, datamodule=loaders, ckpt_path=last if last.exists() else None, weights_only=True
        )
    except SystemExit as error:
        # So Lightning answers Ctrl-C, and ignores it from then on.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, ctrl_c)
        raise KeyboardInterrupt from error


def _best(module: Training, rows: Sequence[Row], folder: Path) -> Model:
    """Make a model of the weights of the best epoch."""
    file = folder / _CHECKPOINTS / f"{_BEST}.ckpt"
    if not any(math.isfinite(row["val_loss"]) for row in rows):
        raise DatasetError(
            "the validation loss is not a number: the learning rate is too high, or the examples"
            " hold nothing usable"
        )
    state = torch.load(file, weights_only=True, map_location="cpu")["state_dict"]
    module.load_state_dict(state)
    return module.cpu().model()


def _report(
    options: TrainOptions,
    data: Sequence[Unpacked],
    history: History,
    temperatures: dict[str, float],
) -> dict[str, Any]:
    return {
        "finished": now(),
        "software": software() | {"torch": torch.__version__, "lightning": lightning.__version__},
        "options": json.loads(json.dumps(dataclasses.asdict(options))),
        "data": [
            {
                "path": Path(one.options.path).name,
                "checksum": one.card["checksum"],
                "survey": one.card.get("survey", ""),
                "kind": one.card["kind"],
                "examples": len(one.owner),
                "training": len(one.training),
                "validation": len(one.validation),
            }
            for one in data
        ],
        "best": min(
            (row for row in history.rows if math.isfinite(row["val_loss"])),
            key=lambda row: row["val_loss"],
        ),
        "calibration": temperatures,
        "ended": "not a number" if history.failed else "",
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice on loaders and devices from the terminal; errors still come."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*num_workers.*")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
