"""Everything between files or arrays and the tensors that a network takes."""
