"""Train on a video while predicting it: the stream loop, its memories, updates and objectives."""
