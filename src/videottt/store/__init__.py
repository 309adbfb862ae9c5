"""Define the file formats of videos, predictions and traces, each in one place."""
