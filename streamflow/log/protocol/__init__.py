"""Kafka's wire protocol, without a socket: bytes to messages and back, for every version. The one door to `kio`."""
