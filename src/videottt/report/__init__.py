"""Write the tables and draw the figures and videos of a study, from results only."""
