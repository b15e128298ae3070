"""One partition's replicas: who leads in which epoch, and how far everything is committed. PURE."""
