"""Every code block of README.md and docs/ works as it is written.

The blocks of a page are run one after the other in a folder that holds what they name
(`sandbox.py`); what cannot be run as it stands is listed, with what is done instead (`rules.py`,
`programs.py`).
"""

import json
import re
import traceback
import warnings
from pathlib import Path

import pytest

from morpheus.mosaic import MosaicWarning
from morpheus.mosaic.report import REPORT_FILE
from morpheus.train import read_options

from .blocks import PAGES, ROOT, blocks, commands, words
from .programs import CHECKS, check_morpheus, check_usage
from .rules import CHANGED, FILES, NO_CODE, PARSED, SHOWN
from .sandbox import names

PROGRAMS = {*CHECKS, "morpheus"}
UNKNOWN = (
    "this is no language that the test knows; fence the block with its language, or say in"
    " tests/docs/rules.py what it is"
)


def page_name(page):
    return str(page.relative_to(ROOT))


def listed(block, table):
    """Find a block in a table of pages and beginnings."""
    page = page_name(block.page)
    return next(
        (what for on, begins, what in table if on == page and block.text.startswith(begins)), None
    )


def changed(text):
    for rule in CHANGED:
        text = re.sub(rule.pattern, rule.instead, text)
    return text


@pytest.fixture
def runner(sandbox, command, scheduler):
    return Runner(command, scheduler)


class Runner:
    """Runs the blocks of a page; what fails is noted with its place, and the others are run."""

    def __init__(self, command, scheduler):
        self.command, self.scheduler = command, scheduler
        self.names, self.failures = names(), []

    def run(self, block):
        kind = block.language
        if kind in SHOWN or listed(block, (*NO_CODE, *FILES)):
            return
        if kind == "shell":
            for line, text in commands(block):
                self.attempt(block.at(line), text, self.shell, text)
        elif kind in LANGUAGES:
            self.attempt(block.at(), kind, getattr(self, kind), block)
        else:
            self.failures.append(f"{block.at()}: {kind}: {UNKNOWN}")

    def attempt(self, place, what, run, argument):
        try:
            run(argument)
        except Exception as error:  # noqa: BLE001 (whatever a block raises is what is wrong with it)
            said = "".join(traceback.format_exception_only(error)).strip()
            self.failures.append(f"{place}: {what}\n    {said}")

    def shell(self, text):
        program, *given = words(text)
        assert program in PROGRAMS, f"the test does not know {program}"
        if "[OPTIONS]" in given:
            check_usage(given)
        elif program != "morpheus":
            CHECKS[program](given)
        elif any(re.search(rule.pattern, text) for rule in PARSED):
            check_morpheus(given)
        else:
            self.morpheus(changed(text))

    def morpheus(self, text):
        if "{scheduler}" in text:
            text = text.replace("{scheduler}", self.scheduler())
        given = [word for pattern in words(text)[1:] for word in expanded(pattern)]
        if "--resume" in given:
            self.interrupt([word for word in given if word != "--resume"])
        code, errors = self.command(*given)
        if code and "--overwrite" in errors:  # a block before made it
            code, errors = self.command(*given, "--overwrite")
        assert code == 0, f"exit code {code}: {errors}"

    def interrupt(self, given):
        """Leave a run as it is just before its end."""
        self.command(*given, "--overwrite", "--keep-chunks")
        Path(given[given.index("-o") + 1], REPORT_FILE).unlink()

    def python(self, block):
        text = "\n" * (block.line - 1) + changed(block.text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MosaicWarning)  # what is doubtful is no mistake
            exec(compile(text, block.at(), "exec"), self.names)

    def toml(self, block):
        Path("block.toml").write_text(block.text, encoding="utf-8")
        read_options(Path("block.toml"))

    def json(self, block):
        json.loads(block.text)


LANGUAGES = "python", "toml", "json"


def expanded(word):
    """Expand a pattern of files as a shell does; one that fits none stays as it is."""
    return sorted(map(str, Path().glob(word))) or [word] if "*" in word else [word]


BLOCKS = {page: found for page in PAGES if (found := list(blocks(page, PROGRAMS)))}


@pytest.mark.parametrize("page", BLOCKS, ids=page_name)
def test_blocks_work_as_written(page, runner):
    found = BLOCKS[page]
    for block in found:
        if name := listed(block, FILES):
            Path(name).write_text(block.text, encoding="utf-8")
    for block in found:
        runner.run(block)
    assert not runner.failures, "\n".join(["", *runner.failures])


def test_rules_are_all_needed():
    found = [block for page in BLOCKS for block in BLOCKS[page]]
    texts = [text for block in found if block.language == "shell" for _, text in commands(block)]
    texts += [block.text for block in found if block.language == "python"]
    for rule in (*CHANGED, *PARSED):
        assert any(re.search(rule.pattern, text) for text in texts), rule
    for entry in (*NO_CODE, *FILES):
        assert any(listed(block, [entry]) for block in found), entry
