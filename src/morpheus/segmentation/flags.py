"""The bits of a source's flags. The one place where they are listed."""

from enum import IntFlag

__all__ = ["FLAG_MEANINGS", "SourceFlag"]


class SourceFlag(IntFlag):
    """What to beware of in a source; bits that add up."""

    EDGE = 1
    MASKED = 2
    DEBLENDED = 4
    SATURATED = 8
    LOW_SNR = 16
    NONPOSITIVE_FLUX = 32
    CUT_APERTURE = 64
    UNMATCHED = 128


FLAG_MEANINGS = {
    SourceFlag.EDGE: "touches the edge of the image, or of the part that was classified",
    SourceFlag.MASKED: "touches masked pixels",
    SourceFlag.DEBLENDED: "was separated from a neighbour",
    SourceFlag.SATURATED: "has saturated pixels",
    SourceFlag.LOW_SNR: "low signal to noise in the detection band",
    SourceFlag.NONPOSITIVE_FLUX: "no positive flux in the detection band: classes are unweighted",
    SourceFlag.CUT_APERTURE: "an aperture reaches over the edge or over masked pixels",
    SourceFlag.UNMATCHED: "no external position lies in it (guided segmentation)",
}
"""What each flag says of a source."""
