"""PII scan: a search for marked people in databases, files and logs, which shows that none leaks.

    pii_scan = PiiScan({"number": "11010119900307889X", "name": "龘靐齉", "photo": picture})
    pii_scan.search_database("sqlite:////opt/airflow/airflow.db")
    pii_scan.search_folder("/opt/airflow/logs")
    assert pii_scan.hits == []

From a shell: ``python -m airflow_provider_faceid.pii_scan --help``. Imports no Airflow.
"""

from .scan import Hit, PiiScan, Searched

__all__ = ["Hit", "PiiScan", "Searched"]
