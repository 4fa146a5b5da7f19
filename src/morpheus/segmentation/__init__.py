"""Stage 4: class maps to sources; which pixel belongs to which."""

from morpheus.segmentation.flags import FLAG_MEANINGS, SourceFlag
from morpheus.segmentation.guided import (
    open_positions,
    position_columns,
    read_positions,
    read_table,
)
from morpheus.segmentation.options import DeblendingOptions, SegmentationOptions
from morpheus.segmentation.segment import detection_thresholds, segment
from morpheus.segmentation.segmentation import GUIDED_FILE, SEGMENTATION_FILE, Segmentation

__all__ = [
    "FLAG_MEANINGS",
    "GUIDED_FILE",
    "SEGMENTATION_FILE",
    "DeblendingOptions",
    "Segmentation",
    "SegmentationOptions",
    "SourceFlag",
    "detection_thresholds",
    "open_positions",
    "position_columns",
    "read_positions",
    "read_table",
    "segment",
]
