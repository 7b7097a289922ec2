"""Results as files: one writer per format."""
