"""Operators: one person, a whole table, and the validation before it."""
