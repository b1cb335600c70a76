"""What a query costs against the number of keys, and whether its answer is the dense one.

    .venv/bin/python benchmarks/cache_keys.py [--keys 100 1000 10000 100000 1000000]
        [--classes 1000] [--beta 1 8 32] [--width 512] [--storage float32] [--method tip-adapter++]
        [--before DIR]

Beside the head's own time (``head.score(query, n_matches=3)``, one query at a time) stand, in the
same run, the floors of a dense answer (the bare product of the query with all keys, by NumPy on all
cores, and by FAISS on one, which is what memory gives that core) and what a user would otherwise
write (dense Tip-Adapter in PyTorch, product, exponential and sums by label). With ``--before``, the
same head of another checkout of this repository (``git worktree add DIR COMMIT``) answers the same
queries in a process of its own, by turns with this one. The queries are answered densely, too, in
blocks: how often the best class is the same, by how much probabilities differ at most, and which of
the ten nearest keys were found.

Without ``--classes`` there are 10 keys a class and at most 1000 classes. Without ``--beta`` it is
tuned, by leave-one-out on the keys of as many classes as have 20 000 together.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from adapters.cache import CacheSettings, PartitionedCache
from adapters.cache.cache import balance
from adapters.cache.contest import Contest
from adapters.change import Change
from adapters.embeddings import ClassSet
from adapters.heads import HEADS, Tuning
from adapters.heads.term import zero_shot_logits
from adapters.heads.tip_adapter import VoteParameters, VotingHead
from adapters.products import array_products
from adapters.tuning.cache_votes import cache_terms, mean_shots
from adapters.tuning.calibrated_tuning import calibrated
from adapters.tuning.search import search
from adapters.tuning.temperature import calibrated_temperature
from adapters.tuning.votes import Votes
from benchmarks.published import Row, publish
from benchmarks.synthetic_keys import Keys, make_keys

Voting = VotingHead[VoteParameters]
LOGIT_SCALE = 100.0
TUNED_ON = 20_000
BLOCK = 32_768
NEAREST = 10
ROUNDS = 7
PASSED_ON = ("width", "storage", "per_class", "exact_up_to", "method", "queries", "repeats")


def milliseconds(call: Callable[[int], object], repeats: int) -> float:
    """Median time of one call; it is handed its number."""
    took = []
    for i in range(repeats):
        begin = time.perf_counter()
        call(i)
        took.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(took)


def tuned(keys: Keys, method: str, beta: float | None) -> Tuning:
    """The tuning by leave-one-out on some of the classes, at one β where it is given."""
    n_classes = len(keys.classes)
    some = max(min(n_classes, TUNED_ON * n_classes // len(keys.support)), 2)
    classes = ClassSet(keys.classes.ids[:some], keys.classes.texts[:some])
    support = keys.support[keys.support.labels < some]
    if beta is None:
        return HEADS[method](LOGIT_SCALE).tune(classes, support.labelled)
    columns = support.labels
    base = zero_shot_logits(support.embeddings.frozen, classes, LOGIT_SCALE)
    votes = Votes.of(columns, some)
    trust = calibrated_temperature(base, columns, weights=Votes.class_weights(columns))
    terms = cache_terms(support.embeddings.corrected, columns, votes, some, betas=(beta,))
    found = search(base[votes.rows], terms, votes, trust)
    parameters = VoteParameters(
        beta=found.setting, alpha=found.weight, shots=mean_shots(columns, some)
    )
    return calibrated(parameters, base[votes.rows] + found.values, votes)


def dense(keys: Keys, head: Voting) -> tuple[Tensor, Tensor]:
    """(q, N) logits by all keys, and (q, 10) the nearest ones; in blocks of keys."""
    asked, columns = keys.queries.corrected, keys.support.labels
    beta = head.parameters_.beta
    votes = torch.zeros(len(keys.classes), len(asked), dtype=torch.float64)
    best, nearest = torch.empty(len(asked), 0), torch.empty(len(asked), 0, dtype=torch.int64)
    for rows in torch.arange(len(columns)).split(BLOCK):
        affinity = keys.support.embeddings.corrected[rows] @ asked.T
        top = affinity.topk(min(NEAREST, len(rows)), dim=0)
        best = torch.cat([best, top.values.T], dim=1)
        nearest = torch.cat([nearest, rows[top.indices].T], dim=1)
        kept = best.topk(min(NEAREST, best.shape[1]), dim=1)
        best, nearest = kept.values, nearest.gather(1, kept.indices)
        votes.index_add_(0, columns[rows], torch.exp(beta * (affinity - 1)).double())
    parameters = head.parameters_
    balanced = balance(columns, len(keys.classes), parameters.shots_of(columns, len(keys.classes)))
    weights = parameters.alpha * balanced
    logits = zero_shot_logits(keys.queries.frozen, keys.classes, LOGIT_SCALE) + votes.T * weights
    beside = head._beside(keys.queries)
    return logits if beside is None else logits + beside, nearest


def measured(keys: Keys, head: Voting, repeats: int) -> dict[str, float | int | str]:
    """One row: times of one query, and how its answers compare with dense ones."""
    rows, columns = keys.support.embeddings.corrected, keys.support.labels
    asked, n_classes, n = keys.queries, len(keys.classes), len(columns)
    parameters = head.parameters_

    def naive(i: int) -> Tensor:
        affinity = asked.corrected[i : i + 1] @ rows.T
        votes = torch.exp(-parameters.beta * (1 - affinity))
        votes = votes.new_zeros(1, n_classes).index_add_(1, columns, votes)
        affinity.topk(min(3, n))
        texts = keys.classes.texts
        return LOGIT_SCALE * asked.frozen[i : i + 1] @ texts.T + parameters.alpha * votes

    matrix, vectors = rows.numpy(), asked.corrected.numpy()
    head.score(asked[:1], 3)
    row: dict[str, float | int | str] = {
        "keys": n,
        "classes": n_classes,
        "β": parameters.beta,
        "head ms": milliseconds(lambda i: head.score(asked[i : i + 1], 3), repeats),
        "product ms": milliseconds(lambda i: matrix @ vectors[i], repeats),
        "one core ms": milliseconds(lambda i: array_products(vectors[i : i + 1], matrix), repeats),
        "naive ms": milliseconds(naive, max(repeats // 5, 3)),
    }
    expected, nearest = dense(keys, head)
    scores = head.score(asked, NEAREST)
    p, q = (head.probabilities(x.double()) for x in (scores.logits, expected))
    found = torch.zeros(len(asked))
    for column in range(nearest.shape[1]):
        found += (scores.matches.ids == nearest[:, column : column + 1]).any(dim=1)
    row["recall %"] = 100 * float(found.mean() / nearest.shape[1])
    row |= {"same class %": 100 * float((p.argmax(1) == q.argmax(1)).double().mean())}
    row |= {"Δp at most": float((p - q).abs().max())}
    return row | looked_at(keys, head)


def looked_at(keys: Keys, head: Voting) -> dict[str, float | int | str]:
    """Shares of the queries that were answered by a proof, and of the keys that it took."""
    if not isinstance(head.cache_, PartitionedCache):
        return {"proved %": "exact", "outright %": "exact", "keys looked at %": 100.0}
    n = len(keys.support)
    vectors = keys.queries.corrected.numpy()
    base = zero_shot_logits(keys.queries.frozen, keys.classes, LOGIT_SCALE).double().numpy()
    beside = head._beside(keys.queries)
    beside = np.zeros_like(base) if beside is None else beside.double().numpy()
    contest = Contest.of(head.cache_, head._equation())
    taken = np.array(contest.votes(vectors, base, beside, head.cache_.find(vectors))[1])
    few = slice(min(len(base), 50))  # those that fail cost a pass over all keys
    outright = np.array(contest.votes(vectors[few], base[few], beside[few])[1])
    return {
        "proved %": 100 * float((taken < n).mean()),
        "outright %": 100 * float((outright < n).mean()),
        "keys looked at %": 100 * float(np.median(taken)) / n,
    }


def changes(keys: Keys, head: Voting, repeats: int) -> dict[str, float | int | str]:
    """Microseconds to add one key of a class to the cache and to remove it; and with its votes.

    The first one of a class moves its others to where there is room; the median is without it.
    """
    equation = head._equation()
    ids, cache = len(keys.support) + torch.arange(repeats), head.cache_
    one = [slice(i, i + 1) for i in range(repeats)]
    label, more = torch.zeros(1, dtype=torch.int64), keys.queries.corrected

    def add(i: int) -> None:
        cache.add(ids[one[i]], more[one[i]], label)

    def remove(i: int) -> None:
        cache.remove(ids[one[i]])

    def followed(change: Callable[[int], None]) -> Callable[[int], object]:
        return lambda i: (change(i), cache.votes(equation))

    return {
        "add µs": 1e3 * milliseconds(add, repeats),
        "remove µs": 1e3 * milliseconds(remove, repeats),
        "add, votes µs": 1e3 * milliseconds(followed(add), repeats),
        "remove, votes µs": 1e3 * milliseconds(followed(remove), repeats),
    }


class Before:
    """The same head of another checkout, which answers when it is asked.

    Args:
        checkout: Its folder.
        options: Of one row, as for this script.
    """

    def __init__(self, checkout: Path, options: list[str]) -> None:
        command = [sys.executable, str(Path(__file__).resolve()), *options, "--turns"]
        environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.milliseconds()  # it is ready, and warm

    def milliseconds(self) -> float:
        """Median time of a query, in a turn of it."""
        return float(self._asked("query"))

    def changes(self) -> dict[str, float]:
        """What changes cost it."""
        found: dict[str, float] = json.loads(self._asked("changes"))
        return found

    def _asked(self, what: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(what, file=self._process.stdin, flush=True)
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def take_turns(keys: Keys, head: Voting, repeats: int) -> None:
    """Time queries, or changes, whenever a line comes, for :class:`Before`."""
    asked = keys.queries
    for line in sys.stdin:
        if line == "changes\n":
            print(json.dumps(changes(keys, head, repeats)), flush=True)
        else:
            print(milliseconds(lambda i: head.score(asked[i : i + 1], 3), repeats), flush=True)


def by_turns(keys: Keys, head: Voting, repeats: int, before: Before) -> dict[str, float]:
    """Milliseconds of a query by this version and by the other one, medians of their turns."""
    own, other, asked = [], [], keys.queries
    for _ in range(ROUNDS):
        own.append(milliseconds(lambda i: head.score(asked[i : i + 1], 3), repeats))
        other.append(before.milliseconds())
    return {"now ms": statistics.median(own), "before ms": statistics.median(other)}


def main() -> None:
    """Print the table, write JSON and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--classes", type=int, nargs="+", default=[0])
    parser.add_argument("--beta", type=float, nargs="+", default=[None])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--storage", default="float32", choices=("float32", "float16", "int8"))
    parser.add_argument("--per-class", type=int, default=CacheSettings().per_class)
    parser.add_argument("--exact-up-to", type=int, default=CacheSettings().exact_up_to)
    parser.add_argument("--method", default="tip-adapter++", choices=sorted(HEADS))
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--name", default="cache_keys")
    parser.add_argument("--before", type=Path, help="another checkout, to compare with")
    parser.add_argument("--turns", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cache = CacheSettings(arguments.storage, arguments.exact_up_to, arguments.per_class)
    rows: list[Row] = []
    for n, classes in product(arguments.keys, arguments.classes):
        classes = classes or min(max(n // 10, 2), 1000)
        keys = make_keys(n, arguments.width, classes, arguments.queries)
        head: Voting | None = None
        for beta in arguments.beta:
            tuning, begin = tuned(keys, arguments.method, beta), time.perf_counter()
            if head is None:
                head = HEADS[arguments.method](LOGIT_SCALE, cache)
                head.fit(keys.classes, keys.support, tuning)
                head.score(keys.queries[:1], 3)
                fitted = time.perf_counter() - begin
            else:
                head.update(Change(tuning=tuning))
            if arguments.turns:
                take_turns(keys, head, arguments.repeats)
                return
            row = measured(keys, head, arguments.repeats) | {"fit s": fitted}
            if arguments.before is not None:
                options = {name: getattr(arguments, name) for name in PASSED_ON}
                options |= {"keys": n, "classes": classes, "beta": head.parameters_.beta}
                words = [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", v)]
                other = Before(arguments.before, list(map(str, words)))
                row |= by_turns(keys, head, arguments.repeats, other)
                row |= {f"before: {name}": took for name, took in other.changes().items()}
                other.close()
            rows.append(row)
        changed = changes(keys, head, arguments.repeats)
        rows = [row if "add µs" in row else dict(row) | changed for row in rows]
        del keys, head
        gc.collect()

    def plot(axes: Axes) -> None:
        x = "keys" if len(arguments.keys) > 1 else "classes" if len(arguments.classes) > 1 else "β"
        for name in ("naive ms", "product ms", "head ms"):
            axes.loglog([r[x] for r in rows], [r[name] for r in rows], "o-", label=name[:-3])
        axes.set_xlabel(x)
        axes.set_ylabel("ms a query")
        axes.legend()

    title = f"{arguments.method}, width {arguments.width}, {arguments.storage}"
    publish(arguments.name, title, rows, arguments.out, plot=plot)


if __name__ == "__main__":
    main()
