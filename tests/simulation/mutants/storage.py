"""Mistakes of a log's storage."""

from __future__ import annotations

from tests.simulation.mutants.mutant import Mutant

_STORAGE = "streamflow/log/storage"

MUTANTS = [
    Mutant(
        name="an fsync error retried",
        file=f"{_STORAGE}/files.py",
        find="""            changes = self._handle.changes
            try:
                os.fsync(number)
            except OSError as error:
                raise self._files.fail(self.path, error) from error
""",
        replace="""            changes = self._handle.changes
            try:
                os.fsync(number)
            except OSError:
                os.fsync(number)
""",
        why="The kernel drops what it couldn't write, and says that all is well when asked again (fsyncgate).",
    ),
    Mutant(
        name="cut a torn tail below the committed offset",
        file=f"{_STORAGE}/recovery.py",
        find="return max(self.recovery_point, active.durable_behind(damage)) <= damage.offset",
        replace="return True",
        why="Records that were flushed and acknowledged, and have rotted, are cut off as if they had never been.",
    ),
    Mutant(
        name="checksum not checked on append_fetched",
        file=f"{_STORAGE}/arrivals.py",
        find="        check_crc(batch, header)\n        if header.base_offset < first:",
        replace="        if header.base_offset < first:",
        why="What was changed on the way is copied, framed and vouched for.",
    ),
    Mutant(
        name="dedupe window lost at truncate",
        file=f"{_STORAGE}/partition.py",
        find="        known = self._history.load(self.log_end_offset)\n        if known < self.log_end_offset:",
        replace="        self._history.forget_all()\n        known = self.log_end_offset\n        if False:",
        why="A producer's retry to the next leader is appended again.",
    ),
    Mutant(
        name="readings kept at two places only",
        file=f"{_STORAGE}/history.py",
        find="            if old != offset and old not in bases:",
        replace="            if old != offset and old != max([0, *(o for o in self.readings if o in bases)]):",
        why="A truncated log learns from what compaction left: producers are forgotten, and where transactions began.",
    ),
    Mutant(
        name="quarantine read over",
        file=f"{_STORAGE}/reader.py",
        find="                if found.accepted:\n                    continue",
        replace="                continue",
        why="Readers go on behind what can't be read, and nobody is told that records are missing.",
    ),
    Mutant(
        name="the old removed before the new is durable",
        file=f"{_STORAGE}/swap.py",
        find="        self._segments.files.sync_directory(self._segments.directory)\n",
        replace="",
        why="A power cut may undo the rename, and leave what was removed removed.",
    ),
    Mutant(
        name="a log begun anew that the next start doesn't finish",
        file=f"{_STORAGE}/anew.py",
        find="            _finish(files, directory, Segment(",
        replace="            files.exists(name) and _finish(files, directory, Segment(",
        why="After a crash some of the old segments are there and some aren't, and the new one isn't found.",
    ),
    Mutant(
        name="a repair that forgets what else is lost",
        file=f"{_STORAGE}/repair.py",
        find="            swap.keep_damaged(segment.file.read(found.position, found.next_position - found.position))",
        replace="            pass",
        why="Another range that can't be read vanishes, and is read over.",
    ),
    Mutant(
        name="a repair that teaches nothing",
        file=f"{_STORAGE}/partition.py",
        find="        self._history.learn_again(first_offset, self._reader.walk)\n",
        replace="",
        why="The marker that was lost stays unknown: its transaction is open for ever, or its records count.",
    ),
]
