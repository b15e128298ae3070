"""The engine: what running an app decides, without doing any of it. PURE."""
