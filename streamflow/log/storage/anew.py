"""A log begins anew at another offset, with nothing of what it held, whenever the power goes.

OFFSET.cleaned      being made; a start removes it
OFFSET.anew         from here on nothing else in the directory counts
OFFSET.log          once all of that is removed
"""

from __future__ import annotations

from streamflow.log.errors import LogError, StorageFailedError
from streamflow.log.model import Identity
from streamflow.log.storage.files import Files
from streamflow.log.storage.segment import Segment, segment_path
from streamflow.log.storage.segments import Segments
from streamflow.log.storage.swap import CLEANED

ANEW = ".anew"


def begin_anew(segments: Segments, offset: int, index_bytes: int) -> None:
    """One empty segment is all there is.

    Raises: LogError: nothing was changed then; StorageFailedError: it was begun, and the next start finishes it.
    """
    files, directory = segments.files, segments.directory
    path = f"{directory}/{offset:020d}"
    new = Segment(files, directory, segments.identity, offset, index_bytes, path=path + CLEANED)
    new.create()
    new.rename(path + ANEW)
    try:
        files.sync_directory(directory)
        segments.begin_with(new)
        _finish(files, directory, new)
    except LogError as error:
        raise StorageFailedError(
            f"{directory} begins anew at offset {offset}, which couldn't be finished: {error}. Open the log again"
        ) from error


def finish_anew(files: Files, directory: str, identity: Identity) -> None:
    """Before anything else is looked for: goes on with what a crash cut short."""
    for name in files.names(directory):
        if name.endswith(ANEW):
            offset = int(name.removesuffix(ANEW))
            _finish(files, directory, Segment(files, directory, identity, offset, 0, path=f"{directory}/{name}"))


def _finish(files: Files, directory: str, new: Segment) -> None:
    for name in files.names(directory):
        if f"{directory}/{name}" != new.path:
            files.remove(f"{directory}/{name}")
    new.rename(segment_path(directory, new.base_offset))
    files.sync_directory(directory)
