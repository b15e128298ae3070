"""The only room with files: segments, indexes, recovery, retention, producers."""
