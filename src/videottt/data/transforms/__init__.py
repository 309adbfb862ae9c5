"""Resize, crop and recolour frames; every random draw has a key."""
