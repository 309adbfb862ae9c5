"""Measure whether a checkpoint can adapt to a video at all: its losses, their gradients, a step."""
