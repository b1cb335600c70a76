"""Two tenants of one service, with all operations in random order, longer than the unit test.

    python -m tests.campaigns.tenants --examples 300 --seed 1

Each example plays a sequence of requests alone, then beside another tenant's sequence, and compares
all answers byte by byte (`tests/service/api/tenants_alone_and_beside.py`). Prints how often which
request was answered with which status, so that it can be seen what was compared.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.service.api.tenants_alone_and_beside import SEQUENCES, Player, Step, in_turns, tenants
from tests.service.api.test_keys import Keyed, made
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    compared: Counter[tuple[str, int]] = Counter()
    names = tenants()
    with tempfile.TemporaryDirectory() as folder:
        backbone = f"local-dir:{write_tiny_vit(Path(folder))}"
        data_dir = Path(folder) / "data"
        operator = made(data_dir, "--scopes", "admin")
        with Server.ready(data_dir, backbone=backbone, auth="keys", tuning_share=1.0) as running:
            keyed = Keyed(running, operator)

            @seed(options.seed)
            @settings(
                max_examples=options.examples,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(SEQUENCES, SEQUENCES, st.lists(st.booleans(), max_size=12))
            def play(mine: list[Step], theirs: list[Step], order: list[bool]) -> None:
                players = []
                for steps in (mine, mine, theirs):
                    name = next(names)
                    key = keyed.key(tenant=name, scopes=["admin", "read", "predict", "write"])
                    players.append(Player(keyed.client(key), name, steps))
                alone, beside, other = players
                alone.play_all()
                in_turns(beside, other, order)
                for player in players:
                    player.http.close()
                for step, first, second in zip(mine, alone.answers, beside.answers, strict=True):
                    assert first == second, step
                    compared[step.what, first[0]] += 1

            play()
    for what, group in itertools.groupby(sorted(compared.items()), key=lambda one: one[0][0]):
        print(f"{what}: " + ", ".join(f"{status} x {times}" for (_, status), times in group))
    print(f"{sum(compared.values())} answers compared, none differs")


if __name__ == "__main__":
    main()
