"""Command line ``airflow faceid``: one module per command, a table of them, and the edge to the shell.

As ``python -m airflow_provider_faceid`` where Airflow is older than 3.2, which takes no commands of providers
(https://airflow.apache.org/docs/apache-airflow-providers/core-extensions/cli-commands.html).
"""
