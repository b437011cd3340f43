"""Pages in a real, headless browser, for the tests that need one; they are skipped where there is none."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest


def browser() -> str:
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs a Chromium or Chrome, and none is installed")
    return found


def dom_of(page: Path) -> str:
    """The page as a browser has it after its scripts have run."""
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}"]
    command += ["--window-size=1100,900", "--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def found_in(text: str, folder: Path, script: str) -> dict:
    """What a script, the body of a function run in the page after its own, returns."""
    copy = folder / "page.html"
    told = (
        f"document.title = JSON.stringify((() => {{ try {{ {script} }} catch (fault) {{ return {{fault: fault.stack}}; }} }})());"
    )
    copy.write_text(text.replace("</body>", f"<script>{told}</script></body>"), encoding="utf-8")
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom_of(copy), re.DOTALL).group(1)))
    assert "fault" not in found, found["fault"]
    return found
