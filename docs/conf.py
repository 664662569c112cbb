"""How Sphinx builds this documentation: `make docs`, into build/docs; a broken link fails."""

project = "genro-wopi"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "genro-wopi"
html_copy_source = False
html_show_sphinx = False
suppress_warnings = ["misc.highlighting_failure"]  # HAProxy's language has no lexer
