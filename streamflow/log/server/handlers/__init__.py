"""One file an API: its head says which versions, and what of them isn't done. A handler decodes nothing and waits for
nothing but what the node gives it to wait for; handlers don't know each other."""
