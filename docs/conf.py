"""The documentation site: `make docs` builds it into `build/docs`.

Its source is the whole checkout, of which the patterns below say what is a page. So links between
pages, tutorials, model cards and code are plain relative links, which work on a code host, in an
editor and here. Nothing is fetched while it is built or read: equations are MathML, and scripts
and fonts are the site's own.
"""
# ruff: noqa: INP001

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from numpydoc.xref import DEFAULT_LINKS
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

import morpheus

HERE = Path(__file__).parent

project = "Morpheus"
author = "The Morpheus developers"
copyright = author  # noqa: A001 (Sphinx's name)
version = release = morpheus.__version__
language = "en-GB"

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "tutorials/*.ipynb",
    "src/morpheus/model/shipped/*/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
# Folders that need not be walked through; `tutorials/` may be absent.
exclude_patterns = [
    ".*",
    "build",
    "demo-output",
    "docs/_*",
    "tests",
    "training",
    "web",
    "**/__pycache__",
]
templates_path = [str(HERE / "_templates")]
highlight_language = "bash"  # of indented blocks, which are commands
default_role = "py:obj"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # tutorials are committed with their outputs, and tested elsewhere

autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # numpydoc's sections have the types, with shapes and units
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
add_module_names = False
numpydoc_show_class_members = False
# Without -n: types of other packages could only be resolved by fetching their inventories, and
# much that docstrings write as code is a parameter or a file.
viewcode_follow_imported_members = True

html_title = "Morpheus"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["site.css"]
html_favicon = "_static/logo.svg"
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_copy_source = html_show_sourcelink = False
html_sidebars = {"docs/index": [], "docs/faq": [], "docs/install": []}
html_theme_options: dict[str, Any] = {
    "logo": {
        "text": f"Morpheus {version}",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
    },
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "docs/index": []},
    "show_nav_level": 1,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}


def _constants(package: str) -> list[str]:
    """Find where the public values of a package that cannot be called are documented.

    What is said of a value stands below it, in the module that it is imported from.
    """
    module = importlib.import_module(package)
    stub = Path(module.__file__ or "").with_suffix(".pyi")  # of those that import what is used
    source = stub.read_text("utf-8") if stub.exists() else inspect.getsource(module)
    homes = {
        alias.name: f"{package}.{node.module}" if node.level else node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    is_folder = hasattr(module, "__path__")  # a module has what it defines
    return [
        f"{homes[name] if is_folder else package}.{name}"
        for name in getattr(module, "__all__", ())
        if not callable(getattr(module, name))
    ]


_PACKAGES = re.findall(r"^   (morpheus\.\w+)$", (HERE / "api.md").read_text("utf-8"), re.MULTILINE)
autosummary_context = {"constants": {package: _constants(package) for package in _PACKAGES}}

# Types in docstrings are linked where they are classes of Morpheus; the rest stays as written.
DEFAULT_LINKS.clear()
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    name: f"{package}.{name}"
    for package in _PACKAGES
    for name, value in inspect.getmembers(importlib.import_module(package), inspect.isclass)
    if name in getattr(sys.modules[package], "__all__", ())
}


def _find(env: BuildEnvironment, name: str, module: str | None) -> tuple[str, Any] | None:
    """Find a documented object by its last names, as docstrings and pages call it.

    Of several, that of the same package is meant; otherwise nothing is.
    """
    known = env.get_domain("py").objects  # type: ignore[attr-defined]
    if name in known:
        return name, known[name]
    tail = name.removeprefix("morpheus.")
    found = [one for one in known if one.endswith(f".{tail}")]
    here = [one for one in found if module and one.startswith(f"{module}.")]
    chosen = here or found
    # A package's own name for an object is shorter than that of a class's member called the same.
    shortest = min((one.count(".") for one in chosen), default=0)
    chosen = [one for one in chosen if one.count(".") == shortest]
    return (chosen[0], known[chosen[0]]) if len(chosen) == 1 else None


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    """Resolve names that docstrings use without their module, such as `Mosaic`."""
    name = node["reftarget"]
    if node.get("refdomain") != "py" or not re.search(r"\.\w|^_?[A-Z]", name):
        return None
    found = _find(env, name, node.get("py:module"))
    if found is None:
        return None
    full_name, entry = found
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, content, full_name
    )


def link_code(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Link what pages write as code, such as `morpheus.classify`, to its documentation."""
    for literal in list(tree.findall(nodes.literal)):
        name = literal.astext().removesuffix("()")
        if isinstance(literal.parent, nodes.reference | download_reference) or not re.fullmatch(
            r"morpheus(\.\w+)+", name
        ):
            continue
        found = _find(app.env, name, None)
        if found is not None:
            full_name, entry = found
            link = make_refnode(
                app.builder, page, entry.docname, entry.node_id, literal.deepcopy(), full_name
            )
            literal.replace_self(link)


def link_sources(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Link code and other text of the checkout to pages that show it, in place of downloads."""
    for node in list(tree.findall(download_reference)):
        path, _ = app.env.relfn2path(node["reftarget"], page)
        uri = app.builder.get_relative_uri(page, f"source/{path}")
        node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=uri))


def show_sources(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Make these pages."""
    for path in app.env.dlfiles:
        text = (HERE.parent / path).read_text("utf-8")
        try:
            lexer = get_lexer_for_filename(path).aliases[0]
        except ClassNotFound:
            lexer = "text"
        body = app.builder.highlighter.highlight_block(text, lexer)  # type: ignore[attr-defined]
        yield f"source/{path}", {"title": path, "body": f"<h1>{path}</h1>{body}"}, "page.html"


def leave_out_tutorials(_: Sphinx, page: str, source: list[str]) -> None:
    """Leave out an empty list of tutorials, of which Sphinx warns: a checkout may have none."""
    if page == "docs/tutorials" and not any((HERE.parent / "tutorials").glob("*.ipynb")):
        source[0] = source[0].partition("```{toctree}")[0]


def inline_math(self: Any, node: nodes.math) -> None:
    """Write an equation within a line."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block_math(self: Any, node: nodes.math_block) -> None:
    """Write an equation of its own."""
    self.body.append(f'<div class="equation">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("source-read", leave_out_tutorials)
    app.connect("missing-reference", resolve)
    app.connect("doctree-resolved", link_code)
    app.connect("doctree-resolved", link_sources)
    app.connect("html-collect-pages", show_sources)
