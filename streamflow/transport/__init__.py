"""The log as the framework sees it; one file a kind of log."""
