"""What our tables and views are called in a warehouse: chosen by the user, or named after the result table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .sql.identifiers import bare, beside
from .tables import QUARANTINE, RESULTS, RUNS


@dataclass(frozen=True)
class Names:
    """
    What our tables are called in a warehouse, as users write names, see :mod:`.sql.identifiers`.

    :param results: history and view are named after it.
    """

    results: str = RESULTS.name
    quarantine: str = QUARANTINE.name
    runs: str = RUNS.name

    @property
    def history(self) -> str:
        """Return the name of the history table: ``faceid_history`` beside ``faceid_results``."""
        return self.beside("history")

    @property
    def prices(self) -> str:
        """Return the name of the price table, likewise."""
        return self.beside("prices")

    @property
    def reviews(self) -> str:
        """Return the name of the table of reviews, likewise."""
        return self.beside("reviews")

    @property
    def review_log(self) -> str:
        """Return the name of the log of reviews, likewise."""
        return self.beside("review_log")

    def beside(self, what: str) -> str:
        """Return the name of a table or view that is named after the result table."""
        return named_after(self.results, what)

    @property
    def all(self) -> Mapping[str, str]:
        """Return the names by the words that stand for the tables in the SQL of views."""
        named = {"history": self.history, "prices": self.prices, "reviews": self.reviews}
        return {**vars(self), **named}


def named_after(results: str, what: str) -> str:
    """
    Return the name of a table or view that is named after the result table.

    :param results: name of the result table.
    """
    return beside(results, f"{bare(results).removesuffix('_results')}_{what}")
