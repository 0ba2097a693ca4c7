"""The check of `doctor` that looks at the shared database: its address, whether it answers, its tables."""

from fusion_tool.cli.doctor_findings import Check
from fusion_tool.config.database import VARIABLE, database_address, read_state
from fusion_tool.config.loading import preview_config
from fusion_tool.errors import ConfigError, DatabaseUnavailable

_NAME = "database"
_ADDRESS = f"export {VARIABLE}=postgresql://user:password@host:5432/name"


async def database() -> list[Check]:
    """Return the check of the shared database; none where no address is set, since nothing needs one."""
    try:
        config = preview_config()
    except ConfigError:  # the configuration has a finding of its own
        config = None
    try:
        address = database_address(config)
        if address is None:
            return []
        version, missing = await read_state(address)
    except ConfigError as error:
        _, _, package = error.message.partition(": pip install ")
        return [Check(_NAME, ok=False, detail=str(error), cure=f"pip install {package}" if package else _ADDRESS)]
    except DatabaseUnavailable as error:
        return [Check(_NAME, ok=False, detail=error.cause, cure=f"start it, or {_ADDRESS}")]
    tables = f"{missing} steps to its tables are missing; the next run makes them" if missing else "its tables are made"
    return [Check(_NAME, ok=True, detail=f"PostgreSQL {version} answers; {tables}")]
