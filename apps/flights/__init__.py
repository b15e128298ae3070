"""Delays of the flights that left New York in January 2013, and alerts on them."""
