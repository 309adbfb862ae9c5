"""Test-time training on video streams (JMLR 2025): models that keep learning while they predict."""

__version__ = "0.1.0"
