"""Who leads the metadata log, and what must survive for that. PURE."""
