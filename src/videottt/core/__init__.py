"""Provide errors, settings, files, randomness, ids and plain values to every room."""
