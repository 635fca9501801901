"""Erasure of people and rows from our tables."""
