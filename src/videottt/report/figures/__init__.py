"""Something to look at: figures and videos, made from cached results only."""
