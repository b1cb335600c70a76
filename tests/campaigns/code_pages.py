"""How often the code page of names is told rightly, refused or told wrongly.

    python -m tests.campaigns.code_pages --archives 100 --seed 0

For each language and code page, archives of so many labels are drawn from its words; of one label,
each word is one. Prints the table of docs/uploads.md.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Sequence

from service.archives.code_pages import CodePageError, choose_code_page
from tests.campaigns.words import LANGUAGES

LABELS = (1, 3, 10)


def outcome(labels: Sequence[str], code_page: str) -> str | None:
    """``right``, ``refused`` or ``wrong``; None where the code page lacks a letter."""
    try:
        names = [f"{label}/1.jpg".encode(code_page) for label in labels]
    except UnicodeEncodeError:
        return None
    try:
        chosen = choose_code_page(names)
    except CodePageError:
        return "refused"
    read = [name.decode(chosen) for name in names]
    return "right" if read == [f"{label}/1.jpg" for label in labels] else "wrong"


def outcomes(
    words: Sequence[str], code_page: str, labels: int, archives: int, seed: int
) -> Counter[str]:
    """Of archives with so many labels."""
    rng = random.Random(f"{seed}/{code_page}/{labels}")
    if labels == 1:
        drawn = [[word] for word in words]
    else:
        drawn = [rng.sample(words, labels) for _ in range(archives)]
    return Counter(found for each in drawn if (found := outcome(each, code_page)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archives", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("| | code page | " + " | ".join(f"{n} label{'s' * (n > 1)}" for n in LABELS) + " |")
    print("|---|---|" + "---|" * len(LABELS))
    total = {n: Counter[str]() for n in LABELS}
    for name, language in LANGUAGES.items():
        for code_page in language.code_pages:
            cells = []
            for n in LABELS:
                found = outcomes(language.words, code_page, n, given.archives, given.seed)
                total[n] += found
                cells.append(shares(found))
            print(f"| {name} | {code_page} | {' | '.join(cells)} |")
    print(f"| all | | {' | '.join(shares(total[n]) for n in LABELS)} |")


def shares(found: Counter[str]) -> str:
    all_of_them = max(1, found.total())
    return " / ".join(f"{100 * found[k] / all_of_them:.0f}" for k in ("right", "refused", "wrong"))


if __name__ == "__main__":
    main()
