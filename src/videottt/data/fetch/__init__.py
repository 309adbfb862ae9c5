"""Fetch, verify and unpack data sets and weights."""
