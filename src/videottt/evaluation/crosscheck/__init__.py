"""Check our scores against detectron2's evaluators on the same predictions."""
