"""Face ID as data and pure functions: no I/O, no Airflow."""
