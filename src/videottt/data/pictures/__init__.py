"""Read still images and label maps: upright, every page, in 8 bits."""
