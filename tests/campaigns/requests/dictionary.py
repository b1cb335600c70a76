# ruff: noqa: E501 - tables
"""What hostile requests are made of: names, values and bytes that hurt."""

from __future__ import annotations

CLASSIFIERS = ("fuzz-0", "fuzz-1", "fuzz-2")
LABELS = ("ant", "bee", "sea lake", "森林", "a/b", "ü")
TENANTS = ("", "a", "b")

NAMED: dict[str, tuple[object, ...]] = {
    "name": CLASSIFIERS,
    "classifier": CLASSIFIERS,
    "from": CLASSIFIERS,
    "to": (*CLASSIFIERS, 1, 2),
    "label": LABELS,
    "named": LABELS,
    "into": LABELS,
    "wait": ("tuned",),
    "prefer": ("respond-async", "wait=1", "handling=lenient"),
    "request-timeout": ("1", "0.001", "0", "-1", "nan", "1e9"),
    "if-match": ("*", '"1"', 'W/"1"', '"', ""),
    "if-none-match": ("*", '"1"', 'W/"1"', '"', ""),
    "idempotency-key": ("a", "b", '"a"', "x" * 300, ""),
    "limit": (1, 2, 1000),
    "filename_encoding": ("gb18030", "utf-8", "cp437"),
}
"""Values of parameters and members that are worth more than those of their schemas."""

# Values that are tried in the place of any other.
TEXTS = (
    "", " ", "\0", "\ud800", "\U0010ffff", "a\u0301" * 500, "x" * 5000, "../../etc/passwd", "%00", "{}",
    "{" * 500, "{0.__class__}", "%s%n", "1e400", "-0", "NaN", "true", "null", "\u202e", "\ufeff", "\r\nx: y",
    "' OR 1=1 --", "${jndi:ldap://x}", "http://127.0.0.1:1/", "data:image/png;base64,AAAA", "file:///etc/passwd",
    "2026-13-45T99:99:99Z", "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00+23:59", "=" * 4097,
)  # fmt: skip
NUMBERS = (
    "0", "-0", "-1", "1", "2", "3", "255", "65536", "2147483648", "4294967296", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e308", "1e309", "-1e309",
    "1e-400", "0.1", "1.5", "NaN", "Infinity", "-Infinity", "9" * 400, "1" * 5000, "0x10", "01", "1_0",
)  # fmt: skip
"""As they are written, JSON or not."""

PATHS = (
    b"..", b".", b"%2e%2e", b"%2E", b"..%2f", b"%2f", b"%5c", b"\\", b"%00", b"%0d%0a", b"%", b"%zz", b"%c0%af",
    b"%ff", b"%ed%a0%80", b"\xff", b"\xe6\xa3\xae", b"", b"/", b"//", b";a=b", b"a" * 300, b"%25%32%66", b"~", b"*",
    b"%F4%90%80%80", b"%e2%80%ae", b"+", b"%20", b"@", b":", b"CON", b"{name}", b"%7b", b"classes", b"images",
)  # fmt: skip
METHODS = (
    b"GET", b"PUT", b"POST", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"MKCOL", b"LOCK", b"REPORT",
    b"SEARCH", b"QUERY",
)  # fmt: skip
"""Of which parsers know most; CONNECT and HEAD frame answers in ways of their own."""

MEDIA_TYPES = (
    b"application/json", b"application/json; charset=utf-16", b"application/zip", b"application/octet-stream",
    b"image/png", b"image/jpeg", b"image/svg+xml", b"text/plain", b"", b"/", b"*/*", b"application/x-www-form-urlencoded",
    b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=X",
    b"multipart/form-data; boundary=\"X\"; charset=utf-7", b"multipart/form-data; boundary=" + b"b" * 300,
    b"multipart/mixed; boundary=X", b"application/vnd.handful.classifier+zip", b"application/json\xff", b"a" * 3000,
    b"application/vnd.handful.prompts+safetensors", b"image/png; x=\"", b"multipart/form-data; boundary=\xff",
)  # fmt: skip
CODINGS = (
    b"gzip",
    b"deflate",
    b"br",
    b"zstd",
    b"identity",
    b"gzip, gzip",
    b"x-gzip",
    b"",
    b"chunked",
    b"*",
)

# Header fields that mean something to a service, a proxy or a library on the way.
FIELDS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"accept", (b"*/*", b"text/html", b"application/json;q=0", b"", b"a" * 2000, b"image/png;q=nan")),
    (b"accept-encoding", (b"gzip", b"identity;q=0", b"*;q=0", b"br;q=1e9")),
    (b"origin", (b"null", b"http://evil.example", b"http://localhost", b"\xff", b"")),
    (b"referer", (b"http://evil.example/", b"")),
    (b"sec-fetch-site", (b"cross-site", b"same-origin", b"none", b"?")),
    (b"range", (b"bytes=0-", b"bytes=5-1", b"bytes=" + b"0-1," * 300, b"x")),
    (b"if-modified-since", (b"Thu, 01 Jan 1970 00:00:00 GMT", b"x", b"9" * 40)),
    (b"if-match", (b'"1", ' * 200, b"*, *", b'"\xff"')),
    (b"expect", (b"100-continue", b"200-ok", b"")),
    (b"upgrade", (b"h2c", b"websocket", b"")),
    (b"connection", (b"keep-alive", b"upgrade", b"close, x", b"te")),
    (b"te", (b"trailers", b"chunked")),
    (b"forwarded", (b"for=1;proto=https", b"for=\"")),
    (b"x-forwarded-for", (b"1.2.3.4", b"::1", b"x" * 500, b"unix:")),
    (b"x-forwarded-proto", (b"https", b"gopher", b"")),
    (b"x-forwarded-host", (b"evil.example", b"")),
    (b"x-forwarded-prefix", (b"/..", b"//")),
    (b"x-http-method-override", (b"DELETE", b"x")),
    (b"prefer", (b"respond-async", b"wait=9999999999", b"wait=-1", b",,;=", b"a" * 3000)),
    (b"request-timeout", (b"0", b"-1", b"nan", b"1e400", b"1e-9", b"x", b"9" * 50)),
    (b"idempotency-key", (b"a", b"", b"\xff", b'"' * 300, b"x" * 300)),
    (b"traceparent", (b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"ff--", b"")),
    (b"tracestate", (b"a=b," * 100,)),
    (b"x-csrf-token", (b"", b"x", b"\xff")),
    (b"inference-header-content-length", (b"0", b"-1", b"9" * 30, b"x", b"10")),
    (b"mcp-protocol-version", (b"2025-06-18", b"x", b"")),
    (b"mcp-session-id", (b"x", b"\xff")),
    (b"last-event-id", (b"1", b"-1", b"\xff")),
    (b"user-agent", (b"", b"Mozilla/5.0", b"() { :;}; x", b"\xff" * 200)),
    (b"accept-language", (b"de;q=x", b"*")),
    (b"access-control-request-method", (b"PUT", b"x")),
    (b"access-control-request-headers", (b"a, " * 300, b"")),
    (b"host", (b"evil.example",)),
    (b"x-large", (b"a" * 8000, b"a" * 60_000)),
)  # fmt: skip
HOSTS = (
    b"localhost",
    b"localhost:1",
    b"127.0.0.1",
    b"[::1]",
    b"evil.example",
    b"",
    b"a b",
    b"localhost.",
    b"\xff",
)

_JWT = b"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZG1pbiIsImV4cCI6OTk5OTk5OTk5OX0."
CREDENTIALS: tuple[tuple[bytes, bytes], ...] = (
    (b"authorization", b"Bearer " + _JWT),
    (b"authorization", b"Bearer " + _JWT + b"x" * 4000),
    (b"authorization", b"Bearer "),
    (b"authorization", b"Bearer \xff\xfe"),
    (b"authorization", b"Basic Og=="),
    (b"authorization", b"Basic !!!!"),
    (b"authorization", b"Basic " + b"QUFB" * 1000),
    (b"authorization", b"Digest username=\"a\""),
    (b"authorization", b""),
    (b"x-api-key", b"handful_00000000_" + b"A" * 43),
    (b"x-api-key", b"\xff"),
    (b"cookie", b"handful_session=" + b"A" * 43),
    (b"cookie", b"a=b; " * 300),
    (b"cookie", b"=;;;=\xff;\"; __Host-handful_session="),
    (b"x-forwarded-user", b"mallory"),
    (b"x-forwarded-user", b""),
    (b"x-forwarded-tenant", b"../a"),
    (b"x-forwarded-scopes", b"read,write,predict,admin"),
)  # fmt: skip
