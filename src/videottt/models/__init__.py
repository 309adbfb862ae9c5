"""The Y-shaped model: shared encoder f, main-task head h, decoder g; its inputs and checkpoints."""
