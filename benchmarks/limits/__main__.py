"""What a perfect implementation would reach on this machine, what Handful does, what others do.

    python -m benchmarks.limits [--rounds 3] [--seconds 1] [--parts PART...] [--peers NAME...]
    python -m benchmarks.limits --merge FILE...

Parts: ``passes`` (peaks of the processor, the image towers), ``surroundings`` (decoding, HTTP),
``lite`` (Handful and the naive server), ``peers`` (Handful and servers by others, all with a
ViT-B/32 of random weights). All by default; what is measured alone replaces that part of this
machine's record. Each server is measured in turns with Handful in float32, which has the same
model. Peers are installed into environments of their own under ``--folder``.

Records are kept in ``benchmarks/limits/machines``, one a machine; ``--merge`` adds those of others.
Every time the tables are written into the page between their markers.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from adapters.engines.precisions import computed_in
from benchmarks.limits import page, passes, record, servers, surroundings
from benchmarks.limits.record import Compared, Record
from benchmarks.peers.catalogue import peers
from benchmarks.peers.environments import NotInstalled, pins
from benchmarks.peers.models import Weights, random_clip
from benchmarks.published import OUT, machine

PARTS = ("passes", "surroundings", "lite", "peers")
VIT = "ViT-B/32"
PAGE = Path("docs/performance.md")


class Run:
    """One call of the command.

    Args:
        arguments: Of the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.found = Record(machine=machine())
        self.found.machine.pop("load")
        place = record.MACHINES / f"{self.found.name}.json"
        if place.exists():
            before = record.read(place)
            self.found = before.model_copy(update={"machine": self.found.machine})
        self._weights: Weights | None = None

    @property
    def backbone(self) -> str:
        """Handful's name of a ViT-B/32 with random weights."""
        return f"ViT-B-32/{self.weights.open_clip}"

    @property
    def weights(self) -> Weights:
        """Of the ViT-B/32."""
        if self._weights is None:
            self._weights = random_clip((self.arguments.folder / "model").resolve())
        return self._weights

    def passes(self) -> None:
        """Peaks and towers."""
        backbones = {"lite": "lite", VIT: self.backbone}
        self.found.processor, self.found.towers = passes.measure(
            backbones, self.arguments.rounds, self.arguments.seconds
        )

    def surroundings(self) -> None:
        """Decoding and HTTP."""
        self.found.around = surroundings.measure(self.arguments.rounds, self.arguments.seconds)

    def lite(self) -> None:
        """Handful in all precisions and the naive server."""
        others = servers.naive("lite") if "naive" in self.arguments.peers else []
        self._beside("lite", "lite", lambda: others)

    def peers(self) -> None:
        """Handful in all precisions and servers by others."""
        self._beside(VIT, self.backbone, self._contenders)
        for told in servers.unavailable(VIT):
            self._keep(told)

    def _contenders(self) -> list[servers.Contender]:
        contenders = []
        for name, peer in peers(self.weights).items():
            if name not in self.arguments.peers:
                continue
            try:
                folder = self.arguments.folder.resolve()
                contenders.append(servers.peer(name, peer, VIT, folder))
            except NotInstalled as error:
                reason = f"not installed: {servers.last_line(error)}"
                self._keep(Compared(server=name, tower=VIT, note=peer.note, reason=reason))
        return contenders

    def _beside(
        self, tower: str, backbone: str, others: Callable[[], list[servers.Contender]]
    ) -> None:
        contenders = others()
        if "handful" in self.arguments.peers:
            contenders = [*self._precisions(tower, backbone), *contenders]
        if not contenders:
            return
        with servers.ours(backbone, page.REFERENCE) as service:
            reference = servers.Reference(service)
            for contender in contenders:
                print(f"{tower}: {contender.name}", file=sys.stderr)
                self._keep(
                    servers.compare(
                        reference, contender, self.arguments.rounds, self.arguments.seconds
                    )
                )
                record.write(self.found)

    def _precisions(self, tower: str, backbone: str) -> list[servers.Contender]:
        return [
            servers.Contender(
                f"Handful, {precision}",
                tower,
                lambda precision=precision: servers.ours(backbone, precision),  # type: ignore[misc]
                servers.ask_handful,
            )
            for precision in passes.PRECISIONS
            if precision != page.REFERENCE and computed_in(precision) == precision
        ]

    def _keep(self, compared: Compared) -> None:
        self.found.servers[f"{compared.tower}/{compared.server}"] = compared


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    names = ["handful", "naive", *pins()]
    parser.add_argument("--peers", nargs="+", choices=names, default=names)
    parser.add_argument("--folder", type=Path, default=OUT / "peers")
    parser.add_argument("--merge", nargs="+", type=Path, help="records of other machines")
    parser.add_argument("--write", type=Path, default=PAGE, help="the page")
    return parser.parse_args()


def main() -> None:
    """Measure, keep the record, write the page."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers that run are ended then, too
    page.filled(arguments.write.read_text(), "")  # before an hour of measuring: it has the markers
    if arguments.merge:
        for file in arguments.merge:
            record.write(record.read(file))
    else:
        run = Run(arguments)
        for name in arguments.parts:
            getattr(run, name)()
            command = " ".join(["python -m benchmarks.limits", *sys.argv[1:]])
            # Servers that were asked for by name may have been measured by several commands.
            key = " ".join([name, *map(str, arguments.peers)])
            run.found.commands[key] = f"{command}  # {datetime.now(UTC):%d %B %Y}"
            record.write(run.found)
    text = page.part(record.every())
    arguments.write.write_text(page.filled(arguments.write.read_text(), text))
    Console().print(Markdown(text))


if __name__ == "__main__":
    main()
