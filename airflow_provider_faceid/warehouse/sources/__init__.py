"""The source of a run: a table, a query or files, its key, and its pages by keyset pagination."""
