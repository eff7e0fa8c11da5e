"""Where test data lies: vectors from the folder in WEIGHHOUSE_VECTORS where it has the file, else the repository's own."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[2]
OWN_VECTORS = {"bittensor": ROOT / "scoring" / "testdata" / "bittensor", "yuma": ROOT / "yuma" / "testdata"}


def load_vectors(name: str) -> Any:
    folder, file = name.split("/")
    own = OWN_VECTORS[folder] / file
    given = os.environ.get("WEIGHHOUSE_VECTORS")
    path = Path(given) / name if given else own
    return json.loads((path if path.exists() else own).read_text())


@pytest.fixture(scope="session")
def profile() -> str:
    """A plausible task; its figures are nobody's measurement."""
    return (DATA / "profile.toml").read_text()


@pytest.fixture(scope="session")
def journal() -> Path:
    """Four epochs of one validator and four miners, written by data/fixture.rs."""
    return DATA / "journal"
