"""The contract in machine form, and the page that shows it. Loaded only when asked for."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def openapi_document() -> bytes:
    """openapi.yaml as JSON."""
    import yaml

    return json.dumps(yaml.safe_load((_HERE / "openapi.yaml").read_text())).encode()


@cache
def docs_page() -> bytes:
    """The same for people: one page that needs nothing from elsewhere."""
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=select_autoescape())
    document = json.loads(openapi_document())
    return environment.get_template("docs.html").render(api=document).encode()
