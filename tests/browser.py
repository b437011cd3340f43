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


def found_in(text: str, folder: Path, script: str) -> dict:
    """What a script, the body of a function run in the page after its own, returns."""
    copy = folder / "page.html"
    told = (
        f"document.title = JSON.stringify((() => {{ try {{ {script} }} catch (fault) {{ return {{fault: fault.stack}}; }} }})());"
    )
    copy.write_text(text.replace("</body>", f"<script>{told}</script></body>"), encoding="utf-8")
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--window-size=1100,900", "--virtual-time-budget=2000", "--dump-dom", copy.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL).group(1)))
    assert "fault" not in found, found["fault"]
    return found
