"""A SQL database behind DB-API: dialects, sessions, statements, errors, and what MySQL and ClickHouse need."""
