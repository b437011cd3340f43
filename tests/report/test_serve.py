"""The served page: what it answers, and to which hosts.

It follows a study that another process runs.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.browser import browser
from tests.support.studies import fake_train, store, tiny_task
from wiring_search.report import serve
from wiring_search.report.serve import server
from wiring_search.search.study import search
from wiring_search.workers.inline import InlinePool


@contextmanager
def _served(folder: Path) -> Iterator[ThreadingHTTPServer]:
    serving = server(folder, port=0)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield serving
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()


def _ask(
    serving: ThreadingHTTPServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", serving.server_port, timeout=600)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def _news(serving: ThreadingHTTPServer, before: dict) -> dict:
    """The state, once it has changed."""
    end = time.monotonic() + 600
    while (state := json.loads(_ask(serving, "/state.json")[1]))["version"] == before["version"]:
        assert time.monotonic() < end, "nothing new is told"
        time.sleep(0.05)
    return state


def test_it_follows_a_search_that_adds_trials_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_REST", 0.0)
    mine = store(tmp_path, trials=12)
    with _served(tmp_path) as serving:
        status, page, _ = _ask(serving, "/")
        before = json.loads(_ask(serving, "/state.json")[1])
        assert status == 200
        assert "No candidate has finished" in page
        assert before["finished"] == 0
        assert f'"version":"{before["version"]}"' in page
        seen = []

        def train(task, job, beat):
            seen.append(json.loads(_ask(serving, "/state.json")[1])["finished"])
            return fake_train(task, job, beat)

        search(mine.config, mine, InlinePool(train, tiny_task()))
        mine.record_end()
        assert seen == sorted(seen)
        assert 0 < seen[-1] < 12
        after = _news(serving, before)
        assert after["ended"]
        assert after["finished"] >= 12
        data = json.loads(_ask(serving, "/data.json")[1])
        assert data["version"] == after["version"]
        assert data["settings"]["ended"] != "not yet"
        assert len(data["columns"]["trial"]) == len(mine.trials())
        other = store(tmp_path / "random", trials=3, sampler="random")
        search(other.config, other, InlinePool(fake_train, tiny_task()))
        _news(serving, after)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadingHTTPServer]:
    folder = tmp_path_factory.mktemp("served")
    store(folder).close()
    (folder / "report.html").write_text("secret")
    with _served(folder) as found:
        yield found


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1234", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("10.0.0.7:8000", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example:8000", 403),
        ("", 403),
    ],
)
def test_only_its_own_name_is_answered(
    serving: ThreadingHTTPServer, host: str, status: int
) -> None:
    found, text, _ = _ask(serving, "/data.json", Host=host)
    assert found == status
    assert (status == 200) == text.startswith("{")


@pytest.mark.parametrize(
    "path",
    ["/report.html", "/results.sqlite", "/../results.sqlite", "/%2e%2e/", "//etc/passwd", "/state"],
)
def test_no_file_is_given_out(serving: ThreadingHTTPServer, path: str) -> None:
    status, text, _ = _ask(serving, path)
    assert status == 404
    assert "nothing else" in text


def test_it_can_be_read_and_nothing_else(serving: ThreadingHTTPServer) -> None:
    assert [_ask(serving, "/", method)[0] for method in ("POST", "PUT", "DELETE", "OPTIONS")] == [
        501
    ] * 4
    status, text, headers = _ask(serving, "/", "HEAD")
    assert status == 200
    assert text == ""
    assert int(headers["Content-Length"]) > 10_000
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


def test_what_cannot_be_served_is_told(serving: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no study"):
        server(tmp_path, port=0)
    store(tmp_path).close()
    with pytest.raises(
        ValueError, match=f"port {serving.server_port} of 127.0.0.1 .*give another one with --port"
    ):
        server(tmp_path, port=serving.server_port)


def test_a_study_that_cannot_be_read_is_told_and_may_come_back(tmp_path: Path) -> None:
    store(tmp_path).close()
    with _served(tmp_path) as serving:
        (tmp_path / "results.sqlite").rename(tmp_path / "away")
        assert _ask(serving, "/state.json")[0] == 503
        (tmp_path / "away").rename(tmp_path / "results.sqlite")
        assert _ask(serving, "/state.json")[0] == 200


def test_the_command_says_where_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    store(tmp_path).close()
    command = [sys.executable, "-m", "wiring_search.cli", "serve", str(tmp_path), "--port", "0"]
    # Started from a script in the background, it would not get Ctrl-C.
    hear = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        command, preexec_fn=hear, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **quiet
    ) as process:
        line = process.stdout.readline()
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/ \(stop with Ctrl-C\)", line).group(1))
        with urllib.request.urlopen(f"http://localhost:{port}/state.json", timeout=600) as answer:
            assert json.load(answer)["finished"] == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 0
        assert process.stderr.read() == ""


@pytest.mark.slow
def test_in_a_browser_an_open_page_draws_the_news_and_keeps_what_its_reader_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = store(tmp_path / "run", trials=4)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    known, state = [row.trial for row in mine.trials() if row.status == "ok"], serve.Live.state

    def news(live: serve.Live) -> dict:
        if mine.config.trials == 4:  # the page asks for the first time
            mine.set_trials(9)
            search(mine.config, mine, InlinePool(fake_train, tiny_task()))
        return state(live)

    with _served(tmp_path / "run") as serving:
        monkeypatch.setattr(serve.Live, "state", news)
        monkeypatch.setattr(serve, "_REST", 0.0)
        command = [
            browser(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
        ]
        command += [
            "--virtual-time-budget=9000",
            "--dump-dom",
            f"http://127.0.0.1:{serving.server_port}/#trial={known[0]}",
        ]
        dom = subprocess.run(
            command, capture_output=True, text=True, timeout=600, check=True
        ).stdout
    count = sum(row.status == "ok" for row in mine.trials())
    assert count > len(known)
    assert f"{count} candidates trained" in dom
    assert 'role="status">Live:' in dom
    assert re.search(rf'id="detail-head"[^>]*>Trial {known[0]}<', dom)
