"""The database, which is read and never written: no migration, no file, no lock."""

from __future__ import annotations

from collections.abc import Iterator

from alembic.script import ScriptDirectory

from service.checkup.finding import Finding, ok, problem, warning
from service.checkup.postgresql import look_at_postgresql
from service.checkup.sqlite import look_at_sqlite
from service.settings import Settings
from service.storage.engine import MIGRATIONS
from service.storage.location import parsed, shown, sqlite_file


def look_at_database(settings: Settings) -> Iterator[Finding]:
    """Look at whichever database the settings name."""
    url = settings.sqlalchemy_url
    file = sqlite_file(url)
    if parsed(url).get_backend_name() == "sqlite":
        if file is None:
            yield warning(f"{shown(url)} is in memory", "it is gone when the service ends")
            return
        yield from look_at_sqlite(file, _revision)
    else:
        yield from look_at_postgresql(settings, _revision)


def _revision(found: str | None) -> Finding:
    """Whether the tables are those of this program."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    head = scripts.get_current_head()
    if found is None:
        return ok(f"no tables yet; handful serve makes them (revision {head})")
    if found == head:
        return ok(f"tables at revision {found}, as this program has them")
    if found in {script.revision for script in scripts.walk_revisions()}:
        return warning(
            f"tables at revision {found}, and this program has {head}",
            "the next start brings them up to date: make a backup first",
        )
    return problem(
        f"tables at revision {found}, which this program does not know (it has {head})",
        "a newer version of Handful wrote them: use that one",
    )
