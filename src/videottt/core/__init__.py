"""Provide what every room needs: errors, settings, files, randomness, ids and plain values."""
