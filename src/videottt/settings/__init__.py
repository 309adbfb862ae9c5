"""Declare every setting that a user or the workflow may choose, once; nothing here needs torch."""
