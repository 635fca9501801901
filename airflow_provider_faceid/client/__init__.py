"""Client: one API call, signed and sent over requests or aiohttp, with retries. No Airflow."""
