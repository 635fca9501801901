"""Views for analysts, and the metrics they are made of: each count and each rate is defined once."""
