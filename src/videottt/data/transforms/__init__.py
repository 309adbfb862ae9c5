"""Resize, cut and recolour frames, with every draw keyed."""
