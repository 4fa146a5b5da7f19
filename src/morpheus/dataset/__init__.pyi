from .build import build_dataset
from .join import join_datasets
from .labelled import LabelledOptions, LabelledSources
from .reader import Batch, Dataset
from .split import split_examples
from .votes import VOTE_KINDS, read_votes

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
