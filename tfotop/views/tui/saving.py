"""A screen as two files, a picture and text."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from textual.app import App

MOST: Final = 100  # of the same second
ODD: Final = re.compile(r"[^A-Za-z0-9.-]+")


def screen_text(app: App[None]) -> str:
    """What the terminal shows, line by line."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001  there is no other way to the text
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def stem(host: str, stamp: str) -> str:
    """The beginning of a file's name."""
    return f"tfotop-{ODD.sub('-', host).strip('.-')[:60] or 'host'}-{stamp}"


def write(directory: Path, name: str, contents: Mapping[str, str], owner: tuple[int, int] | None) -> list[Path]:
    """New files of mode 0600, one for each suffix; never over an old one. Raises OSError.

    ``owner``: who ran sudo, and wants to read them.
    """
    for number in range(1, MOST + 1):
        try:
            return _write(directory, name if number == 1 else f"{name}-{number}", contents, owner)
        except FileExistsError:
            continue
    raise FileExistsError(None, os.strerror(17), str(directory / name))


def _write(directory: Path, name: str, contents: Mapping[str, str], owner: tuple[int, int] | None) -> list[Path]:
    made: list[Path] = []
    try:
        for suffix, text in contents.items():
            path = directory / f"{name}.{suffix}"
            # O_EXCL: in a directory that others may write to, a link of theirs is not followed.
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                made.append(path)
                if owner is not None:
                    os.fchown(file.fileno(), *owner)
                file.write(text)
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    return made


def sudo_user(environment: Mapping[str, str], uid: int) -> tuple[int, int] | None:
    """Who ran sudo: user and group; ``None`` where it was not used."""
    user, group = environment.get("SUDO_UID", ""), environment.get("SUDO_GID", "")
    return (int(user), int(group)) if uid == 0 and user.isdigit() and group.isdigit() else None
