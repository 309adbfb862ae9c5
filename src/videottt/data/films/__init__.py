"""Read video files: whether they are whole, which track is shown, its pictures and their times."""
