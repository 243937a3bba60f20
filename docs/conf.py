"""The site of the documents: `sphinx-build -W docs site` writes it, and fetches nothing for that."""

from __future__ import annotations

import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

import optcodec

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "optcodec"
author = "the authors of optcodec"
version = release = optcodec.__version__
html_title = "optcodec"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "commands",  # these three are in docs/_ext
    "formulas",
    "outside",
]

# the pages are Markdown, as they are read in the repository, too
source_suffix = {".md": "markdown"}
exclude_patterns = ["_ext", "_static"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4  # the anchors that links in the repository use

# docstrings are in the form of numpydoc
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
napoleon_use_ivar = True
autodoc_typehints = "none"  # the docstrings tell the types, with shapes and units
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
default_role = "py:obj"  # one backtick in a docstring names a thing of Python, which may be on the site


def setup(app: Sphinx) -> None:
    """Let a colon stand between a parameter or an error and what is said of it, where Sphinx writes two dashes."""

    def with_colons(app: Sphinx, document: nodes.document) -> None:
        for text in list(document.findall(nodes.Text)):
            if " -- " in text and not isinstance(text.parent, nodes.literal | nodes.literal_block):
                text.parent.replace(text, nodes.Text(text.replace(" -- ", ": ")))

    app.connect("doctree-read", with_colons)


html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
smartquotes = False  # which would make one dash of the two of an option
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": [], "theory": []}  # no pages below these
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}
