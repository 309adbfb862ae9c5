"""Read, download, check, render and transform data sets."""
