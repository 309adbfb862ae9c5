"""Test-time training on video: the stream loop, its memories, updates and objectives."""
