"""Pages of the reports as Jinja templates, and the style and script that make Data Docs readable without a network."""
