"""How the documentation becomes a site: ``make docs``."""

import importlib.metadata

project = "Handful"
release = importlib.metadata.version("handful")
copyright = "the developers of Handful, MIT licence"  # noqa: A001 - Sphinx calls it so

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"Handful {release}"

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# Attributes are described where the class is, as scikit-learn writes them.
napoleon_use_ivar = True
nitpicky = False
