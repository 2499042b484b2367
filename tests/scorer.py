"""A scorer started as a person starts it, and a plain client: no cookies, no redirects, paths sent as they are."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading

import numpy as np
from PIL import Image

from tests import ROOT
from tests.forks import start


def draw_images(folder, count, size=(60, 40), seed=0):
    """`count` small images of different colours, at `000.png` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        colour = generator.integers(0, 256, 3)
        noise = generator.integers(-20, 20, (size[1], size[0], 3))
        Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(folder / f"{number:03}.png")


class Scorer:
    """aesthetic_ab_scorer.py as another process. address: what it printed.

    Its ratings are Bradley-Terry's unless `words` say otherwise: it takes the processor seconds to load what assists.
    """

    def __init__(self, directory, *words, port=0, **environment):
        command = [sys.executable, str(ROOT / "aesthetic_ab_scorer.py"), f"--directory={directory}", "--no_browser"]
        command += ["--rating=bradley_terry"]
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1", **environment}
        self.process = start(
            [*command, f"--port={port}", *words],
            start_new_session=True,  # so that a signal can be sent to it and its helper, as a terminal does
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=environment,
            cwd=directory,
        )
        self.lines = []
        self.address = self._wait_for_address()
        self.port = int(re.search(r":(\d+)/", self.address)[1])
        self.token = re.search(r"token=(\S+)", self.address)
        self._reader = threading.Thread(target=self.lines.extend, args=[self.process.stdout], daemon=True)
        self._reader.start()
        self.gallery, self.named = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()

    def _wait_for_address(self):
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"Choose at (\S+)", line):
                return found[1]
        raise AssertionError("the scorer did not start:\n" + "".join(self.lines))

    def kill(self):
        """As by kill -9, or the power."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        self.process.stdout.close()

    def wait(self):
        """Its exit code; it must end by itself."""
        code = self.process.wait(20)
        self._reader.join(10)
        return code

    @property
    def output(self):
        return "".join(self.lines)

    def request(self, method, path, body=None, headers=()):
        """(status, headers, bytes). headers: replace or add; None takes one away."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        wanted = {"Host": f"127.0.0.1:{self.port}", **dict(headers)}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            wanted = {"Content-Type": "application/json", "Content-Length": str(len(data)), **wanted}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in wanted.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(data)
        response = connection.getresponse()
        result = response.status, response.headers, response.read()
        connection.close()
        return result

    def state(self, tab="tab"):
        status, _, data = self.request("GET", f"/api/state?tab={tab}")
        assert status == 200, data
        state = json.loads(data)
        self.gallery = state["gallery"]
        return state

    def post(self, action, expect=200, **body):
        """The new state, or where another status is expected the text of the answer."""
        gallery = {"gallery": self.gallery or self.state()["gallery"], "tab": "tab"}
        if action == "finish" and "of" not in body:
            body["of"] = self.state()["ends"]
        status, _, data = self.request("POST", f"/api/{action}", {**gallery, **body})
        assert status == expect, data
        return json.loads(data) if status == 200 else data.decode()

    def answer(self, screen, place=0, kind="choice", name=None, expect=200, **changes):
        """Choose the image at `place` of a screen (None for ties and skips)."""
        self.named += 1
        body = {
            "id": name or f"answer {self.port} {self.named} {id(self)}",
            "screen": screen["id"],
            "shown": screen["images"],
            "kind": kind,
            "winner": None if kind != "choice" else screen["images"][place],
            "seconds": 1.2,
        }
        return self.post("answer", expect, **{**body, **changes})
