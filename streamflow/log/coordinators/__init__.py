"""Consumer groups' offsets and transactions: decisions, and the formats of the topics they are kept in. PURE."""
