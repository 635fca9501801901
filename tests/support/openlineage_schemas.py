"""Validation of OpenLineage events with the published JSON schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[1] / "data" / "openlineage"
PUBLISHED = "https://openlineage.io/spec/"
PLACES = ("facets", "inputFacets", "outputFacets")


@cache
def schemas() -> Registry:
    """Return the published schemas by their URL."""
    read = [json.loads(file.read_text()) for file in FOLDER.glob("*.json")]
    return Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in read]
    )


def faults(event: dict[str, Any]) -> Iterator[str]:
    """Say what is wrong with an event and with its facets, and which of them have no schema here."""
    yield from _faults(event, event["schemaURL"])
    parts = [event["run"], event["job"], *event.get("inputs", []), *event.get("outputs", [])]
    for name, facet in (
        (n, f) for part in parts for place in PLACES for n, f in part.get(place, {}).items()
    ):
        url = facet["_schemaURL"]
        if not url.startswith(PUBLISHED):
            continue  # those of Airflow's provider alone, which publishes no schema of them
        document = schemas()[url.partition("#")[0]].contents
        if name not in document.get("properties", {name: {}}):
            yield f"{name}: {url} is the schema of another facet"
        yield from (f"{name}: {fault}" for fault in _faults(facet, url))


def _faults(value: Any, url: str) -> Iterator[str]:
    validator = Draft202012Validator(
        {"$ref": url}, registry=schemas(), format_checker=FormatChecker()
    )
    for error in validator.iter_errors(value):
        yield f"{error.json_path}: {error.message[:300]}"
