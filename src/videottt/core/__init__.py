"""Provide what every room needs: errors, settings, files, randomness, identities and plain values."""
