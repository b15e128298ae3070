from streamflow.log.node.broker_epoch import PATH, read_epoch, write_epoch
from streamflow.log.storage.files import MemoryFiles


def test_an_epoch_is_brought_back_only_if_nothing_was_lost() -> None:
    files = MemoryFiles()
    assert read_epoch(files, nothing_lost=True) == -1, "an empty disk vouches for nothing"
    write_epoch(files, 42)
    assert read_epoch(files, nothing_lost=True) == 42
    assert read_epoch(files, nothing_lost=False) == -1


def test_an_epoch_that_cannot_be_read_is_none() -> None:
    files = MemoryFiles()
    write_epoch(files, 42)
    data = bytearray(files.read(PATH) or b"")
    data[-1] ^= 1
    files.replace(PATH, bytes(data))
    assert read_epoch(files, nothing_lost=True) == -1
