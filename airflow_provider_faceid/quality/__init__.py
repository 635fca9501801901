"""Validation with Great Expectations, which is imported only when a validation runs."""
