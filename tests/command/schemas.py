"""The forms of what the command line writes, as docs/schema has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "schema"


def checked(text: str, name: str) -> dict[str, Any]:
    """Return the data of a JSON text, which has the form of that name."""
    import jsonschema  # takes a second, which every process that only collects the tests would spend

    data: dict[str, Any] = json.loads(text)
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(data)
    return data
