"""Writes `differences.md`: where the broker answers otherwise than Apache Kafka, from the table the clients' tests ask.

python docs/differences.py
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE / "differences.md"
sys.path.insert(0, str(HERE.parent / "tests/conformance/clients"))
from differences import DIFFERENCES  # noqa: E402

PAGE_TEXT = """# Differences from Apache Kafka

The clients' tests run against Apache Kafka and against this broker, and assert the same of both. Where the two answer
otherwise on purpose, a test says which of the differences below it has met; there is no other excuse. This page is made
by `python docs/differences.py`.

## Met by tests of clients

{met}

## Known from the code

- **Waiting instead of trying again.** InitProducerId and EndTxn are answered once the transaction before is complete.
  Apache Kafka answers CONCURRENT_TRANSACTIONS, and the client asks again.
- **Joining twice.** A JoinGroup or SyncGroup that a member sends again while the first waits takes its place; the first
  is answered REBALANCE_IN_PROGRESS. Apache Kafka never answers it.
- **Static members with other topics.** A static member that comes back with another subscription causes a rebalance.
  Apache Kafka hands it the old assignment.
- **Acknowledgements.** With `log.flush=commit`, the default, `acks=1` waits for the disk as `acks=all` does.
- **Quotas** are stored and described, not enforced.
- **Rules who may do what, SASL and TLS** aren't there: their APIs aren't advertised.
- **`kafka-features upgrade --release-version`** is refused: the feature `kraft.version` belongs to a quorum of several.
- **Offsets of unused groups** expire after `offsets.retention.minutes` while a broker serves the directory, as with
  Apache Kafka. An app's embedded log keeps them.
"""


def page() -> str:
    met = "\n".join(f"- **{name}.** {text}" for name, text in DIFFERENCES.items())
    return PAGE_TEXT.format(met=met)


if __name__ == "__main__":
    PAGE.write_text(page())
