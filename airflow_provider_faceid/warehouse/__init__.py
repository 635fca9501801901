"""Tables: reading a source in pages; writing results, quarantine and runs. No Airflow."""
