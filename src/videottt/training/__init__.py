"""Train checkpoints on still images: the main task alone, or jointly with reconstruction."""
