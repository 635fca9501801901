"""One call, sent: blocking on requests or asyncio on aiohttp. No Airflow."""
