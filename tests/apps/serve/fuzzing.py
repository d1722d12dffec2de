"""Requests made from an OpenAPI document: such as it allows, damaged ones, and bodies that are no JSON at all."""

import json
import random
from typing import Any

HOSTILE = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**70, -(2**70), 0.5, 1e308, float("inf"), float("nan"), "", " ", "x" * 5000,
    "\u0000", "\u202e\ud800", "{{7*7}}", "../../etc/passwd", "'; --", "\U0001f600" * 300, [], [[]], {}, [{}],
    {"": None}, [None], ["a", 1], [1.5], [2**40], [-1], [0] * 3000, {"name": []}, {"$ref": "#"},
]  # fmt: skip
RAW = [
    b"", b"{", b"null", b"[]", b"\xff\xfe", b"\x00", b'{"prompt": [1], "prompt": [1]', b"[" * 20_000, b"{}" * 100,
    b'{"a":' * 5_000, b'{"prompt": "\\ud800"}', b'{"prompt": [1], "seed": ' + b"9" * 5000 + b"}", b'"\\u"',
    b'{"prompt": NaN}', b'{"prompt": [1], "temperature": Infinity}', b'{"prompt": [1], "temperature": 1e999}',
    b'{"prompt": [1' + b",1" * 60_000 + b"]}", b'{"__proto__": {}}', b"\xef\xbb\xbf{}", b'{"prompt": [1e0]}',
]  # fmt: skip


class Fuzzer:
    """Draws from the schemas of a document."""

    def __init__(self, document: dict[str, Any], seed: int) -> None:
        self._document, self.rng = document, random.Random(seed)

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def drawn(self, schema: dict[str, Any]) -> Any:
        """A value that a schema allows, often at its bounds; what may be left out often is."""
        schema, rng = self.resolved(schema), self.rng
        if "anyOf" in schema:
            return self.drawn(rng.choice(schema["anyOf"]))
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            wanted = [
                name for name in schema["properties"] if name in schema.get("required", ()) or rng.random() < 0.25
            ]
            return {name: self.drawn(schema["properties"][name]) for name in wanted}
        if kind == "array":
            least = schema.get("minItems", 0)
            n = rng.choice([least, least + 1, min(schema.get("maxItems", 6), 6)])
            return [self.drawn(schema["items"]) for _ in range(max(n, least))]
        if kind == "string":
            return rng.choice(["a", "Ben found it", "plain", "\u00e9\u0000", "the " * 20])[: schema.get("maxLength")]
        if kind in ("integer", "number"):
            low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1e-3)
            high = schema.get("maximum", 10)
            found = rng.choice([low, high, *[low + rng.random() * min(high - low, 7)] * 18])
            return int(found) if kind == "integer" else float(found)
        return {"boolean": rng.random() < 0.5, "null": None}[str(kind)]

    def damaged(self, value: Any) -> Any:
        """A value with something else in one place."""
        rng = self.rng
        if isinstance(value, dict) and value and rng.random() < 0.8:
            name = rng.choice(list(value))
            what = rng.random()
            if what < 0.15:
                return {key: one for key, one in value.items() if key != name}
            if what < 0.3:
                return {**value, rng.choice(["unknown", "", "__class__"]): rng.choice(HOSTILE)}
            return {**value, name: self.damaged(value[name])}
        if isinstance(value, list) and value and rng.random() < 0.5:
            at = rng.randrange(len(value))
            return [*value[:at], self.damaged(value[at]), *value[at + 1 :]]
        return rng.choice(HOSTILE)

    def body(self, schema: dict[str, Any]) -> bytes:
        """What to send: a third as allowed, most of the rest damaged, some of it no JSON."""
        what = self.rng.random()
        if what < 0.15:
            return self.rng.choice(RAW)
        drawn = self.drawn(schema)
        return json.dumps(drawn if what < 0.45 else self.damaged(drawn)).encode()
