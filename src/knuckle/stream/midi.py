"""MIDI: controllers for curls, pinch and place, notes for a visible hand, a pinch and gestures. Left is channel 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from knuckle.errors import EngineError, InputError
from knuckle.extras import required
from knuckle.results import FINGERS, Frame
from knuckle.stream.address import Address
from knuckle.stream.values import FrameValues, HandValues

CHANNELS = {"left": 0, "right": 1}  # MIDI counts channels from 1, mido from 0
# Controllers that the MIDI standard leaves undefined: 20 to 31.
CURL, PINCH, X, Y, SIZE = 20, 25, 26, 27, 28
VISIBLE_NOTE, PINCH_NOTE, GESTURE_NOTE = 60, 61, 72
PINCH_ON, PINCH_OFF = 0.8, 0.6
MAX_GESTURES = 128 - GESTURE_NOTE


def messages(gestures: Sequence[str]) -> list[tuple[str, str, str]]:
    """Kind, number and meaning of each message, for the documents.

    Args:
        gestures: the names of the set.
    """
    size = "length of the palm, how near the hand is: 127 is half of the image's longer side"
    pinch = f"on from a pinch of {PINCH_ON} on, off below {PINCH_OFF}; its velocity is the pinch"
    return [
        *(
            ("control", str(CURL + place), f"curl of the {finger}: 0 straight, 127 in a fist")
            for place, finger in enumerate(FINGERS)
        ),
        ("control", str(PINCH), "pinch: 0 apart, 127 touching"),
        ("control", str(X), "x of the wrist: 0 left, 127 right edge of the image"),
        ("control", str(Y), "y of the wrist: 0 bottom, 127 top edge of the image"),
        ("control", str(SIZE), size),
        ("note", str(VISIBLE_NOTE), "on while the hand is visible"),
        ("note", str(PINCH_NOTE), pinch),
        *(
            ("note", str(GESTURE_NOTE + place), f"on while the gesture is {name}")
            for place, name in enumerate(gestures)
        ),
    ]


@dataclass
class HandState:
    """What was sent of one hand, so that only changes are sent."""

    controls: dict[int, int] = field(default_factory=dict)
    notes: set[int] = field(default_factory=set)


class MidiDestination:
    """Sends changes to a MIDI port.

    Args:
        port: part of the name of a port, "virtual" for a new port that other programs see, or the address of a
            `mido.sockets` server.
        gestures: names of the gestures that have notes.

    Raises:
        InputError: no port has this name.
        MissingExtraError: mido is not installed.
    """

    waits = True

    def __init__(self, port: str | Address, gestures: Sequence[str] = ()) -> None:
        self.name, self.port, self.gestures = f"midi {port}", port, tuple(gestures)[:MAX_GESTURES]
        self._mido = required("mido", "midi", "MIDI messages")
        if isinstance(port, str):
            self._require_port(port)
        self._out: Any = None
        self._states: dict[str, HandState] = {}

    def _require_port(self, name: str) -> None:
        required("rtmidi", "midi", "MIDI ports")
        try:
            names = self._mido.get_output_names()
        except (SystemError, RuntimeError, OSError) as error:
            raise InputError(
                f"--midi {name}: this computer has no MIDI ({error}); give HOST:PORT of a server"
            ) from error
        if name != "virtual" and not any(name.lower() in known.lower() for known in names):
            found = ", ".join(names) or "none"
            raise InputError(f"--midi {name}: no MIDI port has this name; ports are: {found}; or give virtual")

    def open(self, frame: Frame) -> None:
        self._states.clear()
        if isinstance(self.port, Address):
            from mido.sockets import connect

            self._out = connect(self.port.host, self.port.port)
        elif self.port == "virtual":
            try:
                self._out = self._mido.open_output("Knuckle", virtual=True)
            except (RuntimeError, NotImplementedError) as error:  # Windows has none
                raise EngineError(f"--midi virtual: this system makes no virtual MIDI ports: {error}") from error
        else:
            names = self._mido.get_output_names()
            name = next((name for name in names if self.port.lower() in name.lower()), None)
            if name is None:
                raise OSError("the port is gone")
            self._out = self._mido.open_output(name)

    def send(self, values: FrameValues) -> None:
        if self._out.closed:
            raise ConnectionError("the port was closed")
        for name in values.lost:
            self._send(name, {}, {})
        for hand in values.hands:
            state = self._states.get(hand.name)
            notes = notes_of(hand, state.notes if state else set())
            if hand.gesture in self.gestures:
                notes[GESTURE_NOTE + self.gestures.index(hand.gesture)] = max(seven_bits(hand.gesture_score), 1)
            self._send(hand.name, controls_of(hand, values.frame), notes)

    def _send(self, name: str, controls: dict[int, int], notes: dict[int, int]) -> None:
        """Send what changed of a hand: controllers, then notes that end, then notes that begin."""
        if name not in CHANNELS:
            return
        state = self._states.setdefault(name, HandState())
        for message in changes(state, controls, notes):
            self._out.send(self._mido.Message(channel=CHANNELS[name], **message))
        state.controls |= controls
        state.notes = set(notes)

    def close(self) -> None:
        if self._out is not None and not self._out.closed:
            try:
                for name in list(self._states):
                    self._send(name, {}, {})  # no note stays on
                self._out.close()
            except OSError:
                pass
        self._out = None


def changes(state: HandState, controls: dict[int, int], notes: dict[int, int]) -> Iterator[dict[str, Any]]:
    """What differs from the last state, as the arguments of `mido.Message`."""
    for control, value in controls.items():
        if state.controls.get(control) != value:
            yield {"type": "control_change", "control": control, "value": value}
    for note in sorted(state.notes - set(notes)):
        yield {"type": "note_off", "note": note}
    for note in sorted(set(notes) - state.notes):
        yield {"type": "note_on", "note": note, "velocity": notes[note]}


def controls_of(hand: HandValues, frame: Frame) -> dict[int, int]:
    """Controller number -> 0..127."""
    x, y = hand.hand.landmarks[0, 0] / frame.width, hand.hand.landmarks[0, 1] / frame.height
    size = 2 * hand.hand.palm_size / max(frame.width, frame.height)
    shares = {**{CURL + k: curl for k, curl in enumerate(hand.curls)}, PINCH: hand.pinch, X: x, Y: 1 - y, SIZE: size}
    return {control: seven_bits(share) for control, share in shares.items()}


def notes_of(hand: HandValues, before: set[int]) -> dict[int, int]:
    """Notes that are on -> their velocities. A pinch ends later than it begins, so that it does not flicker."""
    notes = {VISIBLE_NOTE: 127}
    if hand.pinch >= (PINCH_OFF if PINCH_NOTE in before else PINCH_ON):
        notes[PINCH_NOTE] = max(seven_bits(hand.pinch), 1)
    return notes


def seven_bits(share: float) -> int:
    """A share of 0..1 as 0..127."""
    return round(127 * min(max(float(share), 0.0), 1.0))
