"""Where events come from; one file a system."""
