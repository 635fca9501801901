"""Where API keys come from, and how temporary ones are kept fresh."""
