from streamflow.log.node.membership import Endpoint, Membership


def test_a_node_alone_is_a_quorum_of_one_and_does_all() -> None:
    alone = Membership(node_id=7)
    assert alone.alone and alone.quorum == {7} and alone.broker and alone.controller


def test_a_node_among_others_votes_with_the_controllers() -> None:
    voters = {n: Endpoint("10.0.0.1", 9000 + n) for n in (1, 2, 3)}
    broker = Membership(node_id=4, roles=frozenset({"broker"}), voters=voters)
    assert not broker.alone and broker.quorum == {1, 2, 3} and broker.broker and not broker.controller


def test_an_address_of_six_is_written_in_brackets() -> None:
    assert str(Endpoint("::1", 9092)) == "[::1]:9092" and str(Endpoint("a", 1)) == "a:1"
