"""How clients and proxies rewrite the path of a request on its way, each as a function.

The libraries that are installed are asked themselves; the others are written down after their
sources. All take a path with its names percent-encoded and give the bytes that arrive.
"""

from __future__ import annotations

import posixpath
import re
import urllib.request
from collections.abc import Callable
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

import httpx2
import requests

Rewriting = Callable[[str], str]
_HOST = "http://service"


def as_written(path: str) -> str:
    """curl --path-as-is, http.client."""
    return path


def rfc3986(path: str) -> str:
    """``remove_dot_segments`` of RFC 3986, section 5.2.4: curl, Java's URI.normalize, Ruby."""
    output: list[str] = []
    segments = path.split("/")[1:]
    for i, segment in enumerate(segments):
        last = i == len(segments) - 1
        if segment == "..":
            if output:
                output.pop()
            if last:
                output.append("")
        elif segment == ".":
            if last:
                output.append("")
        else:
            output.append(segment)
    return "/" + "/".join(output)


def whatwg(path: str) -> str:
    """The URL standard, as browsers, Node and Deno have it: ``%2e`` is a dot, ``\\`` a slash."""
    segments = path.replace("\\", "/").split("/")
    dots = [re.sub("(?i)%2e", ".", one) for one in segments]
    written = [dot if dot in {".", ".."} else one for dot, one in zip(dots, segments, strict=True)]
    return rfc3986("/".join(written))


def httpx(path: str) -> str:
    return httpx2.URL(_HOST + path).raw_path.decode()


def requests_(path: str) -> str:
    return requests.Request("GET", _HOST + path).prepare().path_url


def urllib_(path: str) -> str:
    return urllib.request.Request(_HOST + path).selector


def yarl(path: str) -> str:
    """aiohttp: unreserved characters are decoded, then dot segments removed."""
    decoded = re.sub(
        "%[0-9A-Fa-f]{2}",
        lambda found: (
            one if (one := chr(int(found[0][1:], 16))) in _UNRESERVED else found[0].upper()
        ),
        path,
    )
    return rfc3986(decoded)


_UNRESERVED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"


def go_mux(path: str) -> str:
    """The ServeMux of Go: a path that ``path.Clean`` changes is redirected to, encoded anew."""
    decoded = unquote_to_bytes(path).decode(errors="surrogateescape")
    clean = posixpath.normpath(re.sub("/+", "/", decoded))
    if decoded.endswith("/") and clean != "/":
        clean += "/"
    return path if clean == decoded else quote(clean, safe="/$&+,:;=@", errors="surrogateescape")


def nginx(path: str) -> str:
    """``proxy_pass`` with a URI: decoded, slashes merged, dots removed, encoded anew."""
    decoded = unquote_to_bytes(path).replace(b"//", b"/")
    merged = rfc3986(decoded.decode("latin-1")).encode("latin-1")
    return quote_from_bytes(merged, safe="/!$&'()*+,;=:@-._~\"<>[]{}|^`\\")


def merged_slashes(path: str) -> str:
    """Proxies that merge slashes and leave the rest."""
    return re.sub("/+", "/", path)


def upper_case(path: str) -> str:
    """Normalised percent-encodings (RFC 3986, section 6.2.2.1)."""
    return re.sub("%[0-9A-Fa-f]{2}", lambda found: found[0].upper(), path)


def slash_added(path: str) -> str:
    """Clients of other frameworks end every path with a slash."""
    return path.rstrip("/") + "/"


REWRITINGS: dict[str, Rewriting] = {
    "as written": as_written,
    "RFC 3986": rfc3986,
    "WHATWG": whatwg,
    "httpx": httpx,
    "requests": requests_,
    "urllib": urllib_,
    "yarl": yarl,
    "Go": go_mux,
    "nginx": nginx,
    "merged slashes": merged_slashes,
    "upper case": upper_case,
    "slash added": slash_added,
}


# How programs write a name into a path before any of these.
WRITINGS: dict[str, Callable[[str], str]] = {
    "quote(safe='')": lambda name: quote(name, safe="", errors="surrogatepass"),
    "encodeURIComponent": lambda name: quote(name, safe="!'()*-._~", errors="surrogatepass"),
    "dots too": lambda name: quote(name, safe="", errors="surrogatepass").replace(".", "%2e"),
    "lower case": lambda name: re.sub(
        "%..", lambda found: found[0].lower(), quote(name, safe="", errors="surrogatepass")
    ),
}
