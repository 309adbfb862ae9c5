"""From predictions and labels to statistics, and from statistics to numbers."""
