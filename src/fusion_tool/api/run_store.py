"""Stored runs: where they are kept, in a SQLite file or in the shared database, a lock for each, their ids and ends."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from fusion_tool.config.addresses import is_database_address
from fusion_tool.config.database import database_address
from fusion_tool.config.storage import data_path
from fusion_tool.errors import ConfigError, DatabaseUnavailable

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from fusion_tool.config.schema import FusionConfig

StorePlace: TypeAlias = Path | str
"""The path of a SQLite file, or the address of a PostgreSQL database."""
KEEP_DAYS = 30.0
"""Days after its last step for which a run is kept, where nobody deletes it."""
_DAY_SECONDS = 86_400
_UUID_EPOCH = 0x01B21DD213814000
RUN_ID = re.compile(r"[0-9a-f]{32}")
"""A run's whole id."""
OWNER_KEY = "fusion_owner"
"""The key of the steps' metadata under which a run that a server keeps names its caller."""


def default_path() -> Path:
    """Return `runs.sqlite` in the user's data folder."""
    return data_path("runs.sqlite")


def default_place(config: "FusionConfig | None" = None) -> StorePlace:
    """Return where runs are kept: in the shared database, where there is one, else in the user's data folder.

    Args:
        config: The runs' configuration, which may name the database; `None` for that of the user's file.

    Raises:
        ConfigError: The database's address is none.
    """
    return database_address(config) or default_path()


def place_name(place: StorePlace) -> str:
    """Return what a place with runs is called in messages: a path, or of a database its name and host alone."""
    if not is_database_address(place):
        return str(place)
    parts = urlsplit(str(place))
    host = parts.hostname or next(iter(parse_qs(parts.query).get("host", [])), "localhost")
    return f"the database {parts.path.strip('/') or 'of its user'} on {host}"


@dataclass
class Promise:
    """The promise of a server that a run is finished, though its process dies.

    It stands beside the run until that has ended or failed, or its client has left; a server that is stopped leaves it.

    Args:
        terms: Who may finish it: whoever has the same terms, such as a hash of all that the run depends on.
        is_void: Whether nobody waits for the run any more.
    """

    terms: str
    is_void: bool = False


class RunStore(ABC):
    """A place with runs, open.

    Args:
        name: What it is called in messages; no secret.
        saver: LangGraph's checkpointer, which reads and writes the runs' steps.
    """

    def __init__(self, name: str, saver: "BaseCheckpointSaver[Any]") -> None:
        self.name, self.saver = name, saver
        self.losses: list[str] = []
        """Why steps of a run that went on are not in it."""

    @abstractmethod
    async def run_ids(self, before: float | None = None) -> list[str]:
        """Return the ids of the stored runs, the latest first.

        Args:
            before: Unix time before which the last step must lie; `None` for all.
        """

    @abstractmethod
    async def owner(self, run_id: str) -> str | None:
        """Return for whom a server keeps a run; `None` for the user's own, and where there is no such run."""

    @abstractmethod
    async def drop_intermediate_steps(self, run_id: str) -> None:
        """Delete the steps before a finished run's last: each holds everything that was read until then."""

    @abstractmethod
    def lock(self, run_id: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock of a run; what is done with a run is read under it.

        Raises:
            RunBusyError: Another process or task holds it.
        """

    @abstractmethod
    async def add_promise(self, run_id: str, terms: str) -> None:
        """Promise that a server finishes a run, though the process that works on it dies; see `Promise`."""

    @abstractmethod
    async def drop_promise(self, run_id: str) -> None:
        """Drop the promise of a run, where there is one."""

    @abstractmethod
    async def promises(self) -> list[tuple[str, str]]:
        """Return the id and the terms of each run that a server is to finish, those that are worked on too."""

    @abstractmethod
    async def tidy(self) -> None:
        """Delete the runs that are too old, unless that was just done."""

    def go_on_without(self, run_id: str) -> None:  # noqa: B027 - a file on this disk is not expected to go away
        """Let a run that works go on where the store fails; from then on its steps are lost, and `losses` says why."""

    async def delete(self, run_id: str) -> None:
        """Delete all of a run."""
        await self.drop_promise(run_id)
        await self.saver.adelete_thread(run_id)

    async def prune(self, days: float = KEEP_DAYS) -> list[str]:
        """Delete the runs whose last step is more than `days` ago, unless they are running; return their ids."""
        deleted = []
        for run_id in await self.run_ids(before=time.time() - days * _DAY_SECONDS):
            # Under its lock: a run that is being resumed would write its next step beside rows that are gone.
            try:
                async with self.lock(run_id):
                    await self.delete(run_id)
            except RunBusyError:
                continue
            deleted.append(run_id)
        return deleted


@asynccontextmanager
async def open_store(place: StorePlace) -> AsyncIterator[RunStore]:
    """Open a place with runs; a file is made where there is none, readable by its owner alone.

    Raises:
        ConfigError: The file cannot be written, or is no SQLite file; or the database's extra is not installed.
        DatabaseUnavailable: The database cannot be reached.
    """
    if is_database_address(place):
        from fusion_tool.config.installation import require_extra

        require_extra("postgres", field="keep")
        from fusion_tool.api.postgres_runs import open_postgres

        opening = open_postgres(str(place))
    else:
        from fusion_tool.api.sqlite_runs import open_sqlite

        opening = open_sqlite(Path(place))
    async with opening as store:
        yield store


def has_runs(place: StorePlace) -> bool:
    """Tell whether there may be runs: a file that does not exist has none, and need not be made."""
    return is_database_address(place) or Path(place).exists()


class RunBusyError(ConfigError):
    """Another process, or another task of this one, is working on the run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} is being worked on by another process", field="resume")


class UnwritableError(ConfigError):
    """The file that is to hold runs cannot be written.

    Args:
        cause: The file, and what is wrong with it.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"runs cannot be kept in {cause}; make room for it, or keep nothing (--no-keep)", field="keep")
        self.cause = cause


def match_run_id(beginning: str, stored_ids: Sequence[str], place: str, *, field: str | None = None) -> str:
    """Return the id of the one stored run whose id begins with `beginning`.

    Args:
        beginning: An id, or as much of it as no other run's begins with.
        stored_ids: The ids of the stored runs.
        place: What the place is called that they are in, for the error.
        field: The setting that named it, for the error; `None` where none did.

    Raises:
        ConfigError: There is none, or several.
    """
    found = [run_id for run_id in stored_ids if beginning and run_id.startswith(beginning.strip().lower())]
    if not found:
        raise ConfigError(f"no run {beginning[:80]!r} is kept in {place}; 'fusion-tool runs' lists them", field=field)
    if len(found) > 1:
        some = ", ".join(found[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
        raise ConfigError(f"{len(found)} runs have an id that begins with {beginning!r}: {some}", field=field)
    return found[0]


_MOST_NAMED = 3


async def delete_runs(
    *run_ids_: str, older_than_days: float | None = None, place: StorePlace | None = None
) -> Sequence[str]:
    """Delete runs by id, and those whose last step is too long ago.

    Args:
        run_ids_: The ids of the runs to delete, or their beginnings.
        older_than_days: Days since the last step, above which others go too, unless they are running; `None` deletes
            no others.
        place: Where they are kept; by default where runs are.

    Returns:
        The ids of the deleted runs.

    Raises:
        ConfigError: There is no such run, or it is being worked on.
        DatabaseUnavailable: The database cannot be reached.
    """
    place = place or default_place()
    if not has_runs(place) and not run_ids_:
        return []
    async with open_store(place) as store:
        stored_ids = await store.run_ids()
        # All ids are checked before the first run goes: a mistyped one must not leave half of the command done.
        named = dict.fromkeys(match_run_id(run_id, stored_ids, store.name, field="runs") for run_id in run_ids_)
        for run_id in named:
            async with store.lock(run_id):
                await store.delete(run_id)
        old = [] if older_than_days is None else await store.prune(older_than_days)
    return [*named, *old]


async def state_of(graph: Any, run_id: str) -> Any:
    """Return the state of a stored run, as LangGraph gives it.

    Raises:
        ConfigError: Its rows are no plain data, or broken.
    """
    try:
        return await graph.aget_state({"configurable": {"thread_id": run_id}})
    except DatabaseUnavailable:
        raise
    except Exception as error:  # a row is data: it may hold anything
        reason = error.message if isinstance(error, ConfigError) else f"it is broken ({type(error).__name__})"
        raise ConfigError(f"run {run_id} cannot be read: {reason}", field="resume") from error


def first_id_at(unix: float) -> str:
    """Return the text after which the ids of checkpoints sort that were made since `unix`: UUIDs version 6.

    Source: RFC 9562, section 5.6.
    """
    ticks = int(unix * 10_000_000) + _UUID_EPOCH
    return f"{ticks >> 28:08x}-{ticks >> 12 & 0xFFFF:04x}-6{ticks & 0xFFF:03x}"
