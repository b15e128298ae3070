"""Stores an operator or a table keeps its state in."""
