"""Which names classifiers and classes may have."""

from __future__ import annotations

import re
import unicodedata

from service.problems import InvalidName

_CLASSIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_LABEL = 255
# Normalisation sorts combining characters in quadratic time, and takes four characters at most for
# one that stays.
_MAX_DECOMPOSED = 4 * _MAX_LABEL


def checked_classifier(name: str) -> str:
    """Return a classifier's name if it can be used.

    Raises:
        InvalidName: It is not 1 to 64 of ``A-Z a-z 0-9 . _ -`` beginning with a letter or digit.
    """
    if not _CLASSIFIER.fullmatch(name):
        raise InvalidName(
            f"{name!r} cannot name a classifier. Use 1 to 64 letters, digits, '.', '_' or '-' "
            "(unaccented), beginning with a letter or digit."
        )
    return name


def checked_label(label: str) -> str:
    """Return a class label in Unicode normal form C, without surrounding spaces.

    Raises:
        InvalidName: It is empty, too long, or has slashes or characters that cannot be seen.
    """
    if len(label) > _MAX_DECOMPOSED:
        raise InvalidName(f"A label has 1 to {_MAX_LABEL} characters; this one has {len(label)}.")
    label = unicodedata.normalize("NFC", label).strip()
    if not label or len(label) > _MAX_LABEL:
        raise InvalidName(f"A label has 1 to {_MAX_LABEL} characters; this one has {len(label)}.")
    if label in {".", ".."} or "/" in label or "\\" in label:
        raise InvalidName(f"{label!r} cannot be a label: slashes, '.' and '..' mean folders.")
    # Categories C*: control, format, surrogate, private use and unassigned characters. Joiners
    # (Cf) are part of emoji and of several scripts.
    if "\ufffd" in label:
        raise InvalidName(f"{label!r} cannot be a label: it was not sent as UTF-8.")
    hidden = [c for c in label if unicodedata.category(c)[0] == "C" and c not in "\u200c\u200d"]
    if hidden:
        raise InvalidName(
            f"{label!r} cannot be a label: it has the invisible character U+{ord(hidden[0]):04X}."
        )
    return label
