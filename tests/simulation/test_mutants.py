"""Known mistakes are planted as they should be, and the simulation catches each."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import node
from tests.simulation.mutants.mutant import Mutant
from tests.simulation.mutants.plant import ROOT, Caught, applied, catch, mutants, planted, table, write

SAMPLE = Mutant(name="a", file="streamflow/errors.py", find="from __future__", replace="from  __future__", why="b")


@pytest.mark.parametrize("mutant", mutants(), ids=lambda m: m.name)
def test_each_mistake_can_still_be_made(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    assert applied(mutant, text) != text


def test_a_mistake_whose_text_is_gone_or_ambiguous_is_an_error() -> None:
    for text in ("", "from __future__ from __future__"):
        with pytest.raises(ValueError, match="must be there once"):
            applied(SAMPLE, text)


def test_the_work_tree_is_not_touched() -> None:
    before = (ROOT / SAMPLE.file).read_text()
    with planted(SAMPLE) as place:
        assert (place / SAMPLE.file).read_text() == before.replace(SAMPLE.find, SAMPLE.replace)
        assert (ROOT / SAMPLE.file).read_text() == before
    assert not place.exists()


def test_the_table_goes_between_the_markers() -> None:
    told = table([Caught(SAMPLE, by="lost-write: 3, such as x", seeds=4), Caught(SAMPLE)])
    assert "| a | b | lost-write | 4 |" in told
    assert "**not caught**" in told
    page = write(told, "x\n<!-- mutants: begin -->\nold\n<!-- mutants: end -->\ny")
    assert "old" not in page
    assert page.startswith("x\n") and page.endswith("\ny")
    with pytest.raises(ValueError, match="has no"):
        write(told, "x")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", node.MUTANTS, ids=lambda m: m.name)
def test_a_mistake_of_a_node_alone_is_caught(mutant: Mutant) -> None:
    caught = catch(mutant, seeds=150, nodes=1)
    assert caught.by, caught.error
