"""Score cached predictions, measure the theory, and select hyper-parameters."""
