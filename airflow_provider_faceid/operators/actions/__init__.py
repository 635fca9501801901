"""Named operators, one module an Action; ``codegen/generate.py`` writes them from the Actions' data."""
