"""Agreement with detectron2: its evaluators, given the predictions that our scores are of."""
