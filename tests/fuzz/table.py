"""All readers of outside bytes by name."""

from tests.fuzz import readers, readers_datasets, readers_runs
from tests.fuzz.readers import Reader

READERS: dict[str, Reader] = {**readers.READERS, **readers_datasets.READERS, **readers_runs.READERS}
