"""The log: storage, metadata, groups and transactions. Knows nothing of apps, agents or operators."""
