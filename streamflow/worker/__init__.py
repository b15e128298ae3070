"""Runs an app: the shell around the engine."""
