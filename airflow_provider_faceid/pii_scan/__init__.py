"""Marked people, and the search for every place they got into: a proof that nobody leaks.

    canary = Canary({"number": "11010119900307889X", "name": "龘靐齉", "photo": picture})
    canary.search_database("sqlite:////opt/airflow/airflow.db")
    canary.search_folder("/opt/airflow/logs")
    assert canary.hits == []

From a shell: ``python -m airflow_provider_faceid.pii_scan --help``. Imports no Airflow.
"""

from .scan import Canary, Hit, Searched

__all__ = ["Canary", "Hit", "Searched"]
