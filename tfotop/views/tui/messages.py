"""What reaches the screen from outside."""

from threading import Lock

from textual.message import Message

from tfotop.model.state import Model


class ModelReady(Message):
    """A new model; a newer one takes its place if it was not seen yet.

    While a terminal takes no output (Ctrl-S, a link that stalls) the loop stands still: one message waits, not many.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model, self._seen, self._lock = model, False, Lock()

    @property
    def model(self) -> Model:
        """The newest. Who has looked sees no newer one here."""
        with self._lock:
            self._seen = True
            return self._model

    def renew(self, model: Model) -> bool:
        """Bring this one instead. False if somebody has looked already. From any thread."""
        with self._lock:
            if not self._seen:
                self._model = model
            return not self._seen

    def can_replace(self, message: Message) -> bool:
        """Only the newest model matters."""
        return isinstance(message, ModelReady)


class CursorMoved(Message):
    """The cursor of a table is on another row."""

    def can_replace(self, message: Message) -> bool:
        """Only where it is now matters."""
        return isinstance(message, CursorMoved)
