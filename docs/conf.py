"""How the documentation site is built, offline: ``sphinx-build -W docs build/docs``."""

from xleval import __version__

project = "xleval"
author = "The xleval authors"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3  # links such as hooks.md#packaging
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
html_theme = "furo"
html_title = "xleval"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False


def fields_as_list(app, what, name, obj, options, lines):
    """Docstrings align what they say of each field, a line or more each; reStructuredText wants a list there."""
    start = 0
    for end in [*(number for number, line in enumerate(lines) if not line), len(lines)]:
        part = lines[start:end]
        if len(part) > 1 and part[0].startswith("``") and all(line.startswith(("``", "  ")) for line in part):
            lines[start:end] = [f"- {line}" if line.startswith("``") else f"  {line.strip()}" for line in part]
        start = end + 1


def setup(app):
    app.connect("autodoc-process-docstring", fields_as_list)
