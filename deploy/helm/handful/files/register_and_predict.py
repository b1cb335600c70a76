"""Chart test: a classifier is made, taught two classes, asked, and deleted.

Environment: URL of the service; AUTH; KEY with read, predict and write where AUTH is keys. Without
a key, and behind a proxy that signs users in, it only sees that strangers are refused.
"""

import io
import json
import os
import sys
import urllib.request
from urllib.error import HTTPError

from PIL import Image

URL, AUTH, KEY = os.environ["URL"], os.environ.get("AUTH", "none"), os.environ.get("KEY")
PATH = f"/v1/classifiers/chart-test-{os.urandom(4).hex()}"
COLOURS = {"red": (230, 20, 20), "blue": (20, 20, 230)}


def ask(method, path, body=None, kind="image/png"):
    headers = {"content-type": kind, **({"authorization": f"Bearer {KEY}"} if KEY else {})}
    request = urllib.request.Request(URL + path, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or "null")


def picture(colour):
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "png")
    return file.getvalue()


ask("GET", "/readyz")
if AUTH == "proxy" or (AUTH == "keys" and not KEY):
    try:
        ask("GET", "/v1/classifiers")
    except HTTPError as refused:
        if refused.code in (401, 403):
            print(f"ready; strangers are refused ({refused.code})")
            sys.exit(0)
        raise
    sys.exit("strangers are not refused")
ask("PUT", PATH)
try:
    for label, colour in COLOURS.items():
        ask("POST", f"{PATH}/classes/{label}/images", picture(colour))
    [answer] = ask("POST", f"{PATH}/predict", picture(COLOURS["red"]))["predictions"]
finally:
    ask("DELETE", PATH)
if answer["label"] != "red":
    sys.exit(f"red was taken for {answer['label']}")
print(f"ready; red is red with probability {answer['probability']:.3f}")
