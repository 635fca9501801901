"""Thin Airflow faces: the Face ID hook, and any SQL connection as a database of ours."""
