"""One node of the log, without a socket: it owns the machines and the partitions, and does what the machines order."""
