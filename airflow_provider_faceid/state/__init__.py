"""What all workers of an account share, in one SQL database: the pace."""
