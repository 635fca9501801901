"""A table verified: source pages -> rows still missing -> calls -> answers -> manifest. No Airflow."""
