"""What is done otherwise when the blocks of the pages are run, and why: all of it."""

from typing import NamedTuple


class Rule(NamedTuple):
    """What is searched for in a command or a Python block; what stands in its place; why."""

    pattern: str
    instead: str
    why: str


CHANGED = (
    Rule(r"--survey (\S+) (.*)--size 1024 ", r"--survey \1 \2--size 128 ", "time: a small field"),
    Rule(r"(--n|-n) (20000|2600)\b", r"\1 2", "time: hours"),
    Rule(r"n=20000", "n=2", "time: hours"),
    Rule(r"(inject .*)-n 200", r"\1-n 2", "time: two artificial sources"),
    Rule(r"(-o field.mp4)", r"\1 --seconds 1", "time: a film of ten seconds"),
    Rule(r"(--resume|--memory 2GB)$", r"\1 --scheduler serial", "processes take long to start"),
    Rule(r"^(morpheus survey .*)", r"\1 --scheduler serial", "processes take long to start"),
    Rule(
        r"^(morpheus evaluate .*--survey .*)",
        r"\1 --size 128 --fields 1 --no-tests",
        "time: one small field instead of two large ones and the published tests",
    ),
    Rule(r"--jobs 2", "--jobs 1", "processes take longer to start than this to do"),
    Rule(r"jobs=2", "jobs=1", "processes take longer to start than this to do"),
    Rule(r"--from MODEL", "--from hst4", "a placeholder"),
    Rule(r"\.\.\. -o /shared/out", "h.fits j.fits v.fits z.fits -o out/", "placeholders"),
    Rule(r"(morpheus run .*)\.\.\.$", r"\1 h.fits j.fits v.fits z.fits -o out/", "a placeholder"),
    Rule(r"tcp://head:8786$", "{scheduler}", "a scheduler of the test's own, that runs"),
)
"""Commands and Python blocks that are run with something else in them."""

SHORTER = (
    ("morpheus.viewer", "serve", lambda *_, **__: None, "it would serve until it is ended"),
    ("morpheus.train.fine_tuning", "_EPOCHS", 1, "time: 600 steps with the default model"),
    ("morpheus.train.fine_tuning", "_STEPS", 2, "the same"),
    ("morpheus.train.fine_tuning", "OptimiserOptions", {"batch": 2}, "the same"),
    ("morpheus.train.fine_tuning", "ValidationOptions", {"examples": 2}, "the same"),
    (
        "morpheus.simulate.dataset_options",
        "_FIELD",
        128,
        "time: fields of 512 pixels are simulated",
    ),
    ("morpheus.evaluate.report.style", "_DPI", 20, "time: large figures"),
    ("morpheus.evaluate.report.write", "_FORMATS", ("png",), "time: figures a second time, as PDF"),
)
"""What is otherwise within Morpheus: module, name, value (or options that a class gets), why."""

PARSED = (Rule(r"--accelerator gpu", "", "GPUs, and several machines"),)
"""Commands of Morpheus that are not run: they are parsed, so that every option is there."""

NO_CODE = (
    ("docs/design.md", "cli/classify.py ->", "the way of a call through the folders"),
    ("docs/survey.md", "tile  status ", "what `morpheus survey --status` prints"),
    ("docs/training.md", "L = ", "an equation"),
    ("docs/training.md", "z_c -> ", "an equation"),
)
"""Blocks that are neither commands nor code: page, how they begin, what they are."""

SHOWN = "{eval-rst}", "{raw}", "{toctree}", "text"
"""Languages of what is only shown: directives, which `make docs` builds, and what was printed."""

FILES = (("docs/survey.md", "tile,F160W,", "tiles.csv"),)
"""Blocks that show a file: page, how they begin, its name. Commands of the page read it."""
