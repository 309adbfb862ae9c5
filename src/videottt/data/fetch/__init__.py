"""Fetch, verify and unpack the files that come from elsewhere."""
