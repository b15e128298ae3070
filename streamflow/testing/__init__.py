"""Run an app on virtual time, with no I/O."""
