"""`kafka://HOST:PORT,…`: a cluster that speaks Kafka's protocol, through librdkafka. One file a part of the contract.

Rule for whoever edits this: what librdkafka calls a thing stays in here; outside, it is what `transport.base` calls it.
"""
