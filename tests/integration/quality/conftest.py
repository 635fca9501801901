"""The three databases, and Great Expectations imported once."""

from tests.integration.warehouse.conftest import home, postgres
from tests.unit.quality.conftest import great_expectations

__all__ = ["great_expectations", "home", "postgres"]
