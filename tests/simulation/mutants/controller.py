"""Mistakes that a controller must not make: who is registered, who is in sync, who leads."""

from __future__ import annotations

from tests.simulation.mutants.mutant import Mutant

ROOM = "streamflow/log/controller"

MUTANTS = [
    Mutant(
        "a heartbeat of an earlier life counts",
        f"{ROOM}/brokers.py",
        "    if known.broker_epoch != broker_epoch:\n",
        "    if False:\n",
        "no broker epoch is checked: a process that was replaced keeps its successor's session alive, and alters ISRs",
    ),
    Mutant(
        "a member that restarted is believed to be in sync",
        f"{ROOM}/isr.py",
        "epoch not in (ANY_EPOCH, broker.broker_epoch)",
        "False",
        "a replica that came back with an empty disk is put into the ISR by what a leader knew of its earlier life",
    ),
    Mutant(
        "a fenced broker is put into the ISR",
        f"{ROOM}/isr.py",
        "broker is None or not broker.may_lead or ",
        "broker is None or ",
        "records wait for one that is gone, or it is elected",
    ),
    Mutant(
        "a stale partition epoch is accepted",
        f"{ROOM}/isr.py",
        "    if wanted.partition_epoch < before.partition_epoch:\n",
        "    if False:\n",
        "a leader brings back a member that the controller took out meanwhile",
    ),
    Mutant(
        "a stale leader epoch is accepted",
        f"{ROOM}/isr.py",
        "    if wanted.leader_epoch < before.leader_epoch:\n",
        "    if False:\n",
        "a leader that led before, and leads again, says who was in sync then",
    ),
    Mutant(
        "the last member is taken out of the ISR",
        f"{ROOM}/elections.py",
        "        isr = tuple(others[:1]) or before.isr[:1]\n",
        "        isr = tuple(others[:1])\n",
        "nobody is known any more to have all that is committed",
    ),
    Mutant(
        "the ELR isn't emptied when there are enough in sync",
        f"{ROOM}/elections.py",
        "        return replace(after, elr=(), last_known_elr=())\n    members",
        "        return after\n    members",
        "records are committed that the eligible don't have, and one of them leads",
    ),
    Mutant(
        "the ELR is emptied too early",
        f"{ROOM}/elections.py",
        "    if len(after.isr) >= terms.needed(after.replicas):\n",
        "    if len(after.isr) >= terms.needed(after.replicas) - 1:\n",
        "nobody may lead although somebody has everything",
    ),
    Mutant(
        "an unclean election by default",
        f"{ROOM}/elections.py",
        "    if terms.unclean and able:\n",
        "    if able:\n",
        "a replica that lacks committed records leads, and they are lost",
    ),
    Mutant(
        "a leader is elected out of the ISR",
        f"{ROOM}/elections.py",
        "    in_sync = [n for n in able if n in partition.isr]\n",
        "    in_sync = able\n",
        "a replica that lacks committed records leads, and they are lost",
    ),
    Mutant(
        "who may have lost data stays eligible",
        f"{ROOM}/elections.py",
        "n in members and n not in after.isr and n not in terms.lost)",
        "n in members and n not in after.isr)",
        "an empty disk is elected",
    ),
    Mutant(
        "who may have lost data stays in sync as the last one",
        f"{ROOM}/elections.py",
        "    isr = tuple(n for n in wanted.isr if n in wanted.replicas and n not in terms.lost)\n",
        "    isr = tuple(n for n in wanted.isr if n in wanted.replicas)\n",
        "an empty disk is elected though an eligible replica has everything",
    ),
    Mutant(
        "an old disk is taken for a complete one",
        f"{ROOM}/image.py",
        "data_epoch=-1 if record.fenced is False else before.data_epoch",
        "data_epoch=before.data_epoch",
        "who served since, and comes back with what it had before, counts as complete",
    ),
    Mutant(
        "a broker is unfenced before it has caught up",
        "streamflow/log/node/controller.py",
        "            if _caught_up(request) and not request.want_fence",
        "            if not request.want_fence",
        "it serves what it led in its earlier life",
    ),
    Mutant(
        "a second process takes a living broker's place",
        f"{ROOM}/brokers.py",
        "    if known is not None and alive and not complete:\n",
        "    if False:\n",
        "two processes with one id fence each other for ever",
    ),
    Mutant(
        "a new controller fences whom it hasn't heard yet",
        f"{ROOM}/sessions.py",
        "{b.broker_id: Session(b.broker_epoch, now_ms) for b in brokers if not b.fenced}",
        "{}",
        "each time a controller is elected, every partition is without a leader",
    ),
    Mutant(
        "eligible by a minimum that was lowered",
        f"{ROOM}/elections.py",
        "        if len(partition.replicas) > 1\n",
        "        if False\n",
        "with a smaller minimum records are committed that the eligible don't have",
    ),
    Mutant(
        "a leader that goes by another minimum is heard",
        f"{ROOM}/elections.py",
        "        if len(partition.replicas) > 1\n",
        "        if partition.elr or partition.last_known_elr\n",
        "it commits alone what those who left its ISR, and are eligible by the new minimum, don't have",
    ),
    Mutant(
        "a reassignment ends with too few copies",
        f"{ROOM}/elections.py",
        "    if len(isr) < terms.needed(target) or not",
        "    if not isr or not",
        "what two had acknowledged is on one, and lost with its disk",
    ),
    Mutant(
        "a leader stays in its epoch when it loses a replica",
        f"{ROOM}/elections.py",
        "leader=after.leader if after.leader != before.leader or dropped else None,",
        "leader=after.leader if after.leader != before.leader else None,",
        "a replica that was removed is fetched for, and counted, as before",
    ),
    Mutant(
        "a stopping broker goes before the others know",
        "streamflow/log/node/controller.py",
        "            if self._heard().known_to_others(broker.broker_id, session.stopping_at, self._now_ms()):\n",
        "            if True:\n",
        "clients are sent to a broker that has gone by one that hasn't heard of it",
    ),
]
