"""Results read back from files: one reader per format, the way back of `export`."""
