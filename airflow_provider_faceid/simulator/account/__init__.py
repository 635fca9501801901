"""The account: what the service remembers of it between two calls."""
