"""Plugin of Airflow's UI: pages under Browse > Face ID."""
