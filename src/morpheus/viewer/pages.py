"""The pages: where they lie, and which files each of them needs."""

from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["PARTS", "STATIC", "PageName"]

PageName: TypeAlias = Literal["index.html", "label.html"]

STATIC = Path(__file__).parent / "static"
"""The folder of both pages."""

_COMMON = ("app", "vendor", "style.css", "icon.svg")

PARTS: dict[PageName, tuple[str, ...]] = {
    "index.html": ("index.html", *_COMMON),
    "label.html": ("label.html", "label.css", *_COMMON),
}
"""By page, the files and folders in `STATIC` that it needs, itself first."""
