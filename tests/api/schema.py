"""As much of JSON Schema as OpenAPI documents of this application use; anything else is an error, not a pass."""

import re
import uuid
from datetime import datetime
from typing import Any

_KNOWN = {
    "type", "properties", "required", "items", "enum", "oneOf", "anyOf", "format", "$ref", "additionalProperties",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "title", "description",
    "examples", "default", "const",
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "null": (type(None),),
    "integer": (int,), "number": (int, float),
}  # fmt: skip


def faults_of(value: Any, schema: dict[str, Any], document: dict[str, Any], path: str = "$") -> list[str]:
    """Where the value is not as the schema says."""
    if "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return faults_of(value, target, document, path)
    assert schema.keys() <= _KNOWN, f"{path}: {schema.keys() - _KNOWN}"
    for word in ("oneOf", "anyOf"):
        if word in schema:
            options = [faults_of(value, option, document, path) for option in schema[word]]
            return [] if any(not faults for faults in options) else [f"{path}: none of {options}"]
    faults = _faults_of_type(value, schema, path)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        faults += [f"{path}: no {name}" for name in schema.get("required", []) if name not in value]
        if properties and not schema.get("additionalProperties"):
            faults += [f"{path}: {name} is not described" for name in value if name not in properties]
        for name, member in value.items():
            if name in properties:
                faults += faults_of(member, properties[name], document, f"{path}.{name}")
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            faults += faults_of(item, schema["items"], document, f"{path}[{place}]")
    return faults


def _faults_of_type(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    names = schema.get("type", list(_TYPES))
    types = [kind for name in ([names] if isinstance(names, str) else names) for kind in _TYPES[name]]
    if type(value) not in types:
        return [f"{path}: {value!r} is no {names}"]
    if isinstance(value, str):
        try:
            if schema.get("format") == "uuid":
                uuid.UUID(value)
            if schema.get("format") == "date-time":
                datetime.fromisoformat(value)
        except ValueError:
            return [f"{path}: {value!r} is no {schema['format']}"]
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return [f"{path}: {value!r} does not match {schema['pattern']}"]
    return []
