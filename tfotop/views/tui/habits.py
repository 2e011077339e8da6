"""What every good program of the terminal has: help, command palette, clipboard, screenshots, themes, job control."""

import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.filter import LineFilter
from textual.screen import Screen

from tfotop.model.state import Model
from tfotop.views.format import printable
from tfotop.views.tui import keys, saving, themes
from tfotop.views.tui.help import HelpScreen
from tfotop.views.tui.notices import Notices

NOT_IN_PALETTE: Final = ("command_palette", "quit", "suspend_process")


class Habits(App[None]):
    """Knows nothing of Fast Open. ``say`` shows a line in the footer."""

    BINDINGS = [
        Binding("y", "copy", "copy the line, else the fix", show=False),
        Binding("Y", "copy_fix", "copy the fix", show=False),
        Binding("S", "save", "save screen as SVG and text", show=False),
        Binding("t", "next_theme", "next theme", show=False),
        Binding("question_mark,f1", "help", "help", key_display="?"),
        Binding("ctrl+p", "command_palette", "command palette", show=False),
        Binding("ctrl+z", "suspend_process", "to the shell; fg: back", show=False),
    ]

    def dress(self, host: str, utf8: bool) -> None:
        """To be called once, when the app is made."""
        self.notices = Notices()
        self._host = host
        self._no_colors, self._only_ascii = themes.NoColors(), themes.OnlyAscii(enabled=not utf8)
        themes.register(self, self.no_color)

    def get_line_filters(self) -> list[LineFilter]:
        """Those of Textual, and ours behind them."""
        self._no_colors.enabled = self.theme == themes.MONO
        return [*super().get_line_filters(), *(f for f in (self._no_colors, self._only_ascii) if f.enabled)]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette has what the keys have, and each theme by its name."""
        for binding, pressed in keys.actions(self, NOT_IN_PALETTE):
            yield SystemCommand(f"{binding.description}", f"key {pressed}", self._runs(binding.action))
        for name in themes.NAMES:
            yield SystemCommand(f"theme {name}", "colours", lambda name=name: setattr(self, "theme", name))
        yield SystemCommand("quit", "key q", self.action_quit)

    def _runs(self, action: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await self.run_action(action)

        return run

    # What the screen knows

    def say(self, text: str) -> None:
        """Tell what a key has done."""
        raise NotImplementedError

    def chosen_text(self) -> str:
        """The line under the cursor, or what there is in its place."""
        raise NotImplementedError

    def fix(self) -> str | None:
        """What mends the worst finding."""
        raise NotImplementedError

    def shown_model(self) -> Model | None:
        """What is on the screen."""
        raise NotImplementedError

    # Actions

    def action_help(self) -> None:
        """All keys, on one page."""
        self.push_screen(HelpScreen(list(keys.groups(self))))

    def action_copy(self) -> None:
        """The line under the cursor, or else what mends the worst finding, to the terminal's clipboard."""
        self._copy(self.chosen_text() or self.fix())

    def action_copy_fix(self) -> None:
        """What mends the worst finding, to the terminal's clipboard."""
        self._copy(self.fix())

    def _copy(self, text: str | None) -> None:
        """By OSC 52, which also works over SSH; whether the terminal took it, it does not say."""
        if not text:
            self.say("nothing to copy: no line is chosen, and there is no fix")
            return
        safe = "\n".join(map(printable, text.split("\n")))
        self.copy_to_clipboard(safe)
        first, *others = safe.split("\n")
        self.say(f"copied{f' {len(others) + 1} lines' if others else ''}: {first}")

    def action_save(self) -> None:
        """This screen as two files in the current directory."""
        model = self.shown_model()
        wall_ns = model.wall_ns if model else 0
        stamp = datetime.fromtimestamp(wall_ns / 1e9).astimezone().strftime("%Y%m%d-%H%M%S")
        contents = {"svg": self.export_screenshot(title=f"tfotop {self._host}"), "txt": saving.screen_text(self)}
        try:
            directory, owner = Path.cwd(), saving.sudo_user(os.environ, os.geteuid())
            made = saving.write(directory, saving.stem(self._host, stamp), contents, owner)
        except OSError as error:
            self.say(f"not saved: {error.strerror} in the current directory; start tfotop where you may write")
        else:
            self.say(f"saved {made[0]} and .txt")

    def action_next_theme(self) -> None:
        """The next one, by name."""
        self.theme = themes.next_name(self.theme)
        self.say(f"theme {self.theme}")
