"""The card of a model that was trained: what it is, on what, how good, and how to repeat it."""

import dataclasses
from pathlib import Path

from morpheus.train.fit import Trained
from morpheus.train.options import TrainOptions

__all__ = ["write_card"]

_METRICS = {
    "val_loss": "loss",
    "val_iou": "IoU of the pixels of sources",
    "val_top1": "sources with the class of most votes",
    "val_entropy": "mean cross-entropy to the votes",
}


def write_card(trained: Trained, options: TrainOptions) -> str:
    """Write a model card from what a training was and gave.

    Parameters
    ----------
    trained : Trained
        What it gave.
    options : TrainOptions
        What it was.

    Returns
    -------
    str
        Markdown, with the configuration in full. What is not known is not said: add to it what
        `morpheus evaluate` measures.
    """
    config, report = trained.model.config, trained.report
    start = Path(options.start).name or "random weights"
    bands = [
        band + "".join(f" (or {other})" for other in config.alternatives.get(band, ()))
        for band in config.bands
    ]
    lines = [
        f"# {config.name}",
        "",
        f"- **Input**: {', '.join(bands)} at {config.pixel_scale:g} arcsec per pixel"
        + (", any of them missing." if config.takes_missing_bands else "."),
        f"- **Output**: {', '.join(config.classes)}, for every pixel.",
        f"- **Network**: {trained.model.n_parameters:,} stored values.",
        f"- **Start**: {start}; seed {options.seed}.",
        "",
        "## Data",
        "",
        "| dataset | kind | survey | examples | for validation | checksum |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one['path']} | {one['kind']} | {one['survey']} | {one['examples']} |"
            f" {one['validation']} | {one['checksum'][:16]} |"
            for one in report["data"]
        ),
        "",
        "## On what was kept for validation",
        "",
        "| | |",
        "|---|---|",
        *(
            f"| {title} | {report['best'][name]:.4f} |"
            for name, title in _METRICS.items()
            if name in report["best"]
        ),
        "",
        "These numbers are of augmented crops of the same kind of data; `morpheus evaluate` says",
        "how good a model is on others.",
        "",
        "## To repeat it",
        "",
        "`morpheus train config.toml` with this file beside the datasets with the checksums above:",
        "",
        "```toml",
        _without_folders(options).to_toml().rstrip(),
        "```",
        "",
        f"With {', '.join(f'{k} {v}' for k, v in report['software'].items())}.",
    ]
    return "\n".join(lines) + "\n"


def _without_folders(options: TrainOptions) -> TrainOptions:
    """Name datasets and models without the folders that they are in on this machine."""
    data = tuple(dataclasses.replace(one, path=Path(one.path).name) for one in options.data)
    return dataclasses.replace(options, data=data, start=Path(options.start).name)
