"""A node's door: sockets, requests, answers. What is decided is decided in the rooms below."""
