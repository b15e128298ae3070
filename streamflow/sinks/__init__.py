"""Where results go; one file a system."""
