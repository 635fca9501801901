"""Apache Airflow provider for identity verification with the Tencent Cloud Face ID API."""

__version__ = "0.2.0"
