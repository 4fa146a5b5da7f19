"""Datasets of examples on disk: pixels, what they are, and the table of their sources.

Names are imported when they are first used: votes can be read without zarr.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from morpheus.dataset.build import build_dataset
    from morpheus.dataset.join import join_datasets
    from morpheus.dataset.labelled import LabelledOptions, LabelledSources
    from morpheus.dataset.reader import Batch, Dataset
    from morpheus.dataset.split import split_examples
    from morpheus.dataset.votes import VOTE_KINDS, read_votes

_HOMES = {
    "VOTE_KINDS": "votes",
    "Batch": "reader",
    "Dataset": "reader",
    "LabelledOptions": "labelled",
    "LabelledSources": "labelled",
    "build_dataset": "build",
    "join_datasets": "join",
    "read_votes": "votes",
    "split_examples": "split",
}

__all__ = [
    "VOTE_KINDS",
    "Batch",
    "Dataset",
    "LabelledOptions",
    "LabelledSources",
    "build_dataset",
    "join_datasets",
    "read_votes",
    "split_examples",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"morpheus.dataset.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'morpheus.dataset' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
