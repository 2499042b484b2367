"""Words for people."""


def number_of(count: int, what: str) -> str:
    """A number and its noun, which takes a plain s: 1 choice, 2 choices."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
