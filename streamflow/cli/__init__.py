"""The command streamflow: one file a command."""
