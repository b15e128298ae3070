"""Operators: pure machines that turn batches into batches. One family a file."""
