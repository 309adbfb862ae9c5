"""Draw the figures and videos of a study, from cached results only."""
