"""Turn what lies on disk or elsewhere into frames, and frames into what a model is shown."""
