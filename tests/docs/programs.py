"""Checks of commands that are not run: that what they name is there, and every option exists."""

import re
import tomllib
from importlib import import_module

import typer.main

from morpheus.cli import app
from morpheus.cli.original import _parser, is_original

from .blocks import ROOT


def check_morpheus(words):
    """Parse a command line of Morpheus to the last option, and do nothing."""
    if is_original(words):
        _parser().parse_args(words)
        return
    command = typer.main.get_command(app)
    context = command.make_context("morpheus", list(words))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def check_usage(words):
    """Find the command whose usage is shown: `morpheus models list [OPTIONS]`."""
    command = typer.main.get_command(app)
    for word in words[: words.index("[OPTIONS]")]:
        command = command.commands[word]


def check_pip(words):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(r"[\w-]+", "".join(re.findall(r"\[(.*)\]", " ".join(words)))):
        assert extra in project["optional-dependencies"], f"there is no extra {extra}"


def check_make(words):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([\w-]+):", makefile, re.MULTILINE)
    for word in words:
        if "=" not in word:
            assert word in targets, f"there is no target {word}"


def check_python(words):
    """A script of the project is there, and takes the options."""
    if words[0] == "-m":
        import_module(words[1])
        return
    script = (ROOT / words[0]).read_text(encoding="utf-8")
    for word in words[1:]:
        assert not word.startswith("--") or f'"{word}"' in script, f"{words[0]} has no {word}"


def check_docker(words):
    if words[0] == "build":
        files = [words[i + 1] for i, word in enumerate(words) if word == "-f"] or ["Dockerfile"]
        assert (ROOT / files[0]).is_file(), f"there is no {files[0]}"
    else:
        check_morpheus(words[words.index("morpheus") + 1 :])


def check_dask(words):
    from click import Context

    main = import_module(f"distributed.cli.dask_{words[0]}").main
    assert isinstance(main.make_context(words[0], words[1:]), Context)


def check_jupyter(words):
    assert (ROOT / words[-1]).exists(), f"there is no {words[-1]}"


CHECKS = {
    "dask": check_dask,  # a cluster's scheduler and workers run until they are ended
    "docker": check_docker,
    "jupyter": check_jupyter,
    "make": check_make,  # the targets are the project's own, and CI runs them
    "pip": check_pip,  # needs a network
    "python": check_python,  # benchmarks take minutes, and real frames
}
"""By program, what is checked instead of running it."""
