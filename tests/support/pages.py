"""Pages of the documentation as tests read them: their blocks of code, and the commands in them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def blocks(text: str, *languages: str) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks of these languages; "" is that of a block that names
    none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [(language, block) for language, block in found if language in languages]


def command_lines(text: str) -> list[list[str]]:
    """The arguments of each line that runs wiring-search, lines that are continued joined, comments
    left out."""
    lines = text.replace("\\\n", " ").splitlines()
    found = (re.match(r"\s*(?:\.venv/bin/)?wiring-search (\w.*)", line) for line in lines)
    return [shlex.split(match.group(1), comments=True) for match in found if match]


def on_this_front(arguments: list[str]) -> list[str]:
    """The trials of a hasty search are not those of the page: the first of its front stands for
    them."""
    from wiring_search.run import Run

    if "--trial" not in arguments:
        return arguments
    number = int(Run(arguments[0]).front()["trial"].iloc[0])
    before = ["", *arguments]
    return [
        str(number) if option == "--trial" else given
        for option, given in zip(before, arguments, strict=False)
    ]
