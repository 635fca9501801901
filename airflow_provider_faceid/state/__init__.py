"""State shared by all workers of an account, in one SQL database: rate limiter, ledger, uplink."""
