"""Notifiers: what a run has done in a few sentences, for whatever Airflow notifies."""
