"""Alerts on this machine's own live metrics."""
