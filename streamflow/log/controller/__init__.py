"""The cluster's metadata: its records, the value they fold to, and the decisions that add to them. PURE."""
