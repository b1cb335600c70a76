"""Writers, deletions and sweeps in every order, with kills between any two of their steps.

The steps are those of the product, taken one by one: each ends with a commit or with an object
that is there or gone. A crash drops what a writer or a sweeper still had to do. After each step no
row refers to bytes that are not there; at the end, all that nothing refers to is swept.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
from collections.abc import Callable, Generator, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import integers
from sqlalchemy import create_engine, delete, event, select
from sqlalchemy.orm import Session

from service.images.embedded import Placed
from service.problems import StorageUnavailable
from service.storage.contents.claiming import claim
from service.storage.contents.folder import Folder
from service.storage.contents.object_store import ObjectStore, is_whole
from service.storage.contents.placing import announce, refer
from service.storage.contents.sweeping import clear_away, doom, note_unused, sweep
from service.storage.engine import open_database
from service.storage.tables import BackboneRow, ContentObjectRow, ContentRow, ImageRow
from service.storage.transactions import writing
from tests.service.storage.contents.placed_images import files, picture

Steps = Generator[None, None, None]
CONTENTS, WRITERS, SWEEPERS = integers(0, 1), integers(0, 2), integers(0, 1)


@cache
def _template() -> Path:
    """An empty database, whose migrations are run once."""
    path = Path(mkdtemp(prefix="handful-template-")) / "handful.db"
    open_database(f"sqlite:///{path}").dispose()
    atexit.register(shutil.rmtree, path.parent)
    return path


class Interleavings(RuleBasedStateMachine):
    """Two replicas or more on one database and one folder."""

    def __init__(self) -> None:
        super().__init__()
        self.going: dict[str, Steps] = {}
        self.place = TemporaryDirectory()
        self.folder = Path(self.place.name) / "images"
        database = Path(self.place.name) / "handful.db"
        shutil.copy(_template(), database)
        self.engine = create_engine(f"sqlite:///{database}")
        event.listen(self.engine, "connect", lambda made, _: made.execute("PRAGMA foreign_keys=ON"))
        self.store: ObjectStore = Folder(self.folder)
        self.store_id = claim(self.engine, self.store)
        with writing(self.engine) as session:
            session.add(BackboneRow(fingerprint="f" * 64, name="lite"))

    def teardown(self) -> None:
        for _ in range(2):
            sweep(self.engine, lambda _: self.store, timedelta(0))
        # Files may be left of bytes that were put once their grace, which is none here, was over.
        assert files(self.folder) >= set(self.keys_of_rows())
        with Session(self.engine) as session:
            assert set(session.scalars(select(ContentObjectRow.key))) == set(self.keys_of_rows())
        self.engine.dispose()
        self.place.cleanup()

    # Who is under way

    @rule(which=WRITERS, number=CONTENTS)
    def write_on(self, which: int, number: int) -> None:
        self.go_on(f"writer {which}", lambda: self.writes(number))

    @rule(which=SWEEPERS)
    def sweep_on(self, which: int) -> None:
        self.go_on(f"sweeper {which}", self.sweeps)

    @rule(which=WRITERS)
    def crash(self, which: int) -> None:
        for name in (f"writer {which}", f"sweeper {which}"):
            if (going := self.going.pop(name, None)) is not None:
                going.close()

    def go_on(self, name: str, begun: Callable[[], Steps]) -> None:
        """One step of whoever has that name, who begins anew when it is done."""
        going = self.going.get(name) or begun()
        self.going[name] = going
        if next(going, self) is self:
            del self.going[name]

    @rule(number=CONTENTS)
    def delete(self, number: int) -> None:
        with writing(self.engine) as session:
            key = hashlib.sha256(picture(number)).hexdigest()
            session.execute(delete(ImageRow).where(ImageRow.content_key == key))

    @invariant()
    def no_row_is_without_bytes(self) -> None:
        for key in self.keys_of_rows():
            assert is_whole(key, self.store.get(key))

    # Their steps

    def writes(self, number: int) -> Steps:
        content = picture(number)
        sha256 = hashlib.sha256(content).hexdigest()
        ids = announce(self.engine, self.store_id, [sha256])
        yield
        row_id, key = ids[sha256]
        self.store.put(key, content)
        yield
        with writing(self.engine) as session:
            if session.scalar(select(ImageRow.id).where(ImageRow.content_key == sha256)):
                used = False  # somebody was quicker
            else:
                try:
                    self.refer(session, sha256, Placed(row_id, len(content)))
                    used = True
                except StorageUnavailable:  # it was swept meanwhile
                    session.rollback()
                    used = False
        yield
        if used:
            return
        doomed = doom(self.engine, [row_id], None)
        yield
        clear_away(self.engine, self.store, dict.fromkeys(doomed, key))

    def refer(self, session: Session, sha256: str, put: Placed) -> None:
        image = ImageRow(
            content_key=sha256,
            media_type="image/png",
            width=1,
            height=1,
            fingerprint="f" * 64,
            frozen=b"",
            corrected=b"",
        )
        session.add(image)
        session.flush()
        refer(session, [put])
        session.add(ContentRow(image_id=image.id, content=b"", object_id=put.id))
        session.flush()

    def sweeps(self) -> Steps:
        note_unused(self.engine)
        yield
        with Session(self.engine) as session:
            old = session.scalars(
                select(ContentObjectRow.id).where(ContentObjectRow.unused_since.is_not(None))
            ).all()
        yield
        doom(self.engine, old, None)
        yield
        doomed = self.doomed()
        self.store.delete(list(doomed.values()))
        yield
        clear_away(self.engine, self.store, doomed)

    def doomed(self) -> dict[int, str]:
        with Session(self.engine) as session:
            found = select(ContentObjectRow.id, ContentObjectRow.key).where(ContentObjectRow.doomed)
            return {row.id: row.key for row in session.execute(found)}

    def keys_of_rows(self) -> Sequence[str]:
        with Session(self.engine) as session:
            return session.scalars(
                select(ContentObjectRow.key).join(
                    ContentRow, ContentRow.object_id == ContentObjectRow.id
                )
            ).all()


def test_a_writer_whose_row_was_swept_refers_to_nobody_elses() -> None:
    case = Interleavings()
    try:
        case.write_on(0, 0)  # its row is there
        case.sweep_on(0)
        case.sweep_on(0)
        case.write_on(0, 0)  # its bytes
        for _ in range(3):
            case.sweep_on(0)  # both are gone
        case.write_on(1, 0)  # a row of somebody else, whose bytes are not there yet
        case.write_on(0, 0)
        case.no_row_is_without_bytes()
    finally:
        case.teardown()


Interleavings.TestCase.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, print_blob=True
)
TestInterleavings = Interleavings.TestCase
