"""The networks: tensors in, tensors out; nothing else of this package is known here."""
