"""What reaches the screen from outside."""

from textual.message import Message

from tfotop.model.state import Model


class ModelReady(Message):
    """A new model; a newer one takes its place if it was not seen yet."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def can_replace(self, message: Message) -> bool:
        """Only the newest model matters."""
        return isinstance(message, ModelReady)


class CursorMoved(Message):
    """The cursor of a table is on another row."""

    def can_replace(self, message: Message) -> bool:
        """Only where it is now matters."""
        return isinstance(message, CursorMoved)
