"""How our self-contained pages begin: light and dark, with a policy by which the browser asks nobody for anything."""

import base64
import hashlib
from html import escape

# The browser itself refuses whatever a mistake of ours might ask for; only images where they lie are no mistake.
POLICY = "default-src 'none'; img-src data: file: 'self'; style-src 'unsafe-inline'; script-src 'sha256-{}'"


def page_head(title: str, style: str, script: str) -> str:
    """HTML up to and with <body>. title: a text, which is escaped. script: the one that the page may run."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY.format(digest)}">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
"""
