"""Words for people."""

PLURAL = {"is": "are", "was": "were", "has": "have"}


def number_of(count: int, what: str, verb: str = "") -> str:
    """A number, its noun, which takes a plain s, and a verb: 1 image is, 2 images are; verb: is, was, has or none."""
    counted = f"{count} {what}" if count == 1 else f"{count} {what}s"
    return f"{counted} {verb if count == 1 else PLURAL[verb]}" if verb else counted
