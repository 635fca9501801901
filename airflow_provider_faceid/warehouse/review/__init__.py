"""The review queue: rules by which results enter it, decisions on its cases, and its tables."""
