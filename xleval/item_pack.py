"""Per-item files packed into one: ``items.zip`` beside ``records.jsonl``, in place of the folder ``items``.

Thousands of small files do not belong into a git repository, and they compress twenty times over. A pack may have been
sent by anybody: what it says of itself is checked against limits before a byte of a member is read, nothing is ever
written to where a member's name points, and no more is decompressed than was announced.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

from xleval.errors import UserError

PACK = "items.zip"

#: Limits, in bytes but for the number of members.
PACKED, UNPACKED, MEMBER, MEMBERS = 64 << 20, 512 << 20, 64 << 20, 50_000

_LONGEST_NAME = 300
#: Of the directory that every zip file ends with: it is read whole before anything else.
_DIRECTORY = 8 << 20
_END, _END_64 = struct.Struct("<4s4H2LH"), 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REMEDY = "pack the results anew with `xleval leaderboard add`"


def write_pack(path: Path, names: Iterable[str], read: Callable[[str], bytes]) -> None:
    """Writes the members by name; the same members give the same bytes wherever zlib is the same.

    Raises:
        OSError: the disk is full, or the like.
    """
    with path.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as pack:
            for name in sorted(names):
                about = zipfile.ZipInfo(name, _EPOCH)
                about.compress_type, about.create_system, about.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
                pack.writestr(about, read(name))
        stream.flush()
        os.fsync(stream.fileno())


def pack_members(path: Path) -> Mapping[str, int]:
    """Names of the members and how many bytes each has unpacked, as the pack announces them.

    Raises:
        UserError: it is no zip file or is cut short; it, a member or all of them are larger than allowed; a member
            has a name that leads elsewhere or stands there twice, is encrypted, or is compressed in another way.
    """
    return {name: about.file_size for name, about in _opened(path).NameToInfo.items()}


def read_packed(path: Path, name: str) -> bytes:
    """One member, whole.

    Raises:
        UserError: as :func:`pack_members`; there is no such member, or it is damaged or not as long as announced.
    """
    pack = _opened(path)
    about = pack.NameToInfo.get(name)
    if about is None:
        raise UserError(f"{path} has no member {name!r:.200}; {_REMEDY}")
    try:
        with pack.open(about) as stream:
            # With a number, for without one all that a member decompresses to is kept in memory.
            data = stream.read(about.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise UserError(f"{path}: member {name!r:.200} cannot be read: {error}; {_REMEDY}") from None
    if len(data) != about.file_size:
        raise UserError(f"{path}: member {name!r:.200} is cut short; {_REMEDY}")
    return data


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        state = path.stat()
        # A file that was opened before a fork has one position for both processes.
        return _open(path, (state.st_size, state.st_mtime_ns, state.st_ino), os.getpid())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None


@lru_cache(maxsize=4)
def _open(path: Path, state: tuple[int, int, int], process: int) -> zipfile.ZipFile:
    if not path.is_file():
        raise UserError(f"{path}: is no file")
    if state[0] > PACKED:
        raise UserError(f"{path}: {state[0]:,} bytes; the limit is {PACKED:,}: make several entries of the results")
    _check_end(path)
    try:
        pack = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        raise UserError(f"{path}: is no whole zip file ({error}); {_REMEDY}") from None
    try:
        _check_members(path, pack.infolist())
    except UserError:
        pack.close()
        raise
    return pack


def _check_end(path: Path) -> None:
    """Refuses, before it is read, a directory that would fill the memory."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        tail_size = min(size, _END.size + _END_64)
        stream.seek(size - tail_size)
        tail = stream.read(tail_size)
    if len(tail) < _END.size:
        raise UserError(f"{path}: is no whole zip file; {_REMEDY}")
    signature, _, _, _, members, directory, _, _ = _END.unpack(tail[-_END.size :])
    if signature != b"PK\x05\x06":
        raise UserError(f"{path}: is no whole zip file, or one with a comment; {_REMEDY}")
    if tail.startswith(b"PK\x06\x07") or members > MEMBERS or directory > _DIRECTORY:
        raise UserError(f"{path}: has {members} members or more; the limit is {MEMBERS:,}: make several entries")


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    if len(members) > MEMBERS:
        raise UserError(f"{path}: {len(members):,} members; the limit is {MEMBERS:,}: make several entries")
    for about in members:
        name = about.filename
        if not _plain(name) or name != about.orig_filename:
            raise UserError(f"{path}: member {name!r:.200} has a name that leads elsewhere; {_REMEDY}")
        if name in seen:
            raise UserError(f"{path}: member {name!r:.200} stands there twice; {_REMEDY}")
        seen.add(name)
        if about.flag_bits & 0x1 or about.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            raise UserError(f"{path}: member {name!r:.200} is encrypted, or compressed otherwise than by deflate")
        if about.file_size > MEMBER:
            raise UserError(f"{path}: member {name!r:.200} has {about.file_size:,} bytes; the limit is {MEMBER:,}")
    if (total := sum(about.file_size for about in members)) > UNPACKED:
        raise UserError(f"{path}: {total:,} bytes unpacked; the limit is {UNPACKED:,}: make several entries")


def _plain(name: str) -> bool:
    """Whether a name is that of a file below the folder, written in one way only."""
    return (
        0 < len(name) <= _LONGEST_NAME
        and name == PurePosixPath(name).as_posix()
        and not name.startswith("/")
        and ".." not in name.split("/")
        and name != "."
        and not any(letter in name for letter in "\\:\0")
        and name.isprintable()
    )
