"""The code blocks of the pages: where they are, what they hold, and the commands in them."""

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
SHELLS = "bash", "console", "sh", "shell"


class Block(NamedTuple):
    """A code block: its page, the line it begins in, its language if that is known, its text."""

    page: Path
    line: int
    language: str
    text: str

    def at(self, line=None):
        """Where that is, as an editor opens it."""
        return f"{self.page.relative_to(ROOT)}:{line or self.line}"


def blocks(page, programs):
    """Give the code blocks of a page in their order, with the language they are written in."""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type in {"fence", "code_block"}:
            line = token.map[0] + (2 if token.type == "fence" else 1)
            named = token.info.split()[0] if token.info.strip() else ""
            language = named or guessed(token.content, programs)
            yield Block(page, line, "shell" if language in SHELLS else language, token.content)


def guessed(text, programs):
    """Tell the language of a block that does not say it; '' if it is none that is known."""
    try:
        if all(words(command)[0] in programs for _, command in commands(Block(ROOT, 1, "", text))):
            return "shell"
    except ValueError:  # quotes that do not match
        pass
    try:
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(text).body):
            return "python"
    except SyntaxError:
        pass
    for language, load, error in (
        ("toml", tomllib.loads, tomllib.TOMLDecodeError),
        ("json", json.loads, json.JSONDecodeError),
    ):
        try:
            load(text)
        except error:
            continue
        return language
    return ""


def commands(block) -> Iterator[tuple[int, str]]:
    """Give the line and the text of each command of a block, in one line, without comments."""
    text, begun = "", 0
    for number, line in enumerate(block.text.splitlines(), block.line):
        begun = begun if text else number
        text += line.strip().removeprefix("$ ").removesuffix("\\")
        if line.endswith("\\"):
            continue
        text = re.sub(r"(^|\s)#.*", "", text).strip()
        if text:
            yield begun, text
        text = ""


def words(command):
    """Split a command as a shell does; the program without its folder."""
    found = shlex.split(command)
    return [Path(found[0]).name, *found[1:]]
