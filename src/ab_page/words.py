"""What the page says besides what the session is about."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Words:
    """What the page says besides. question: above the images. scores, choices: files. command: what comes next."""

    question: str = "Which do you like better?"
    scores: str = ""
    choices: str = ""
    command: str = ""

    def as_json(self) -> dict[str, Any]:
        ending = {"scores": self.scores, "choices": self.choices, "command": self.command}
        return {"question": self.question, "ending": ending}
