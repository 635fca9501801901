"""What all calls of an account share: the pace."""
