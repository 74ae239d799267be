"""Four motors on a serial port that is none: they speak Dynamixel protocol 2.0 over a pseudo-terminal.

Written from the protocol's description at emanual.robotis.com/docs/en/dxl/protocol2, and not with ROBOTIS's SDK, so that
each can find the other's mistakes.
"""

import os
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from robot_node.body.dynamixel import Family

PING, READ, WRITE, STATUS, SYNC_READ, SYNC_WRITE = 0x01, 0x02, 0x03, 0x55, 0x82, 0x83
HEADER = b"\xff\xff\xfd\x00"
EVERYBODY = 0xFE
WRONG_CRC = 0x03


def crc(data: bytes) -> int:
    """CRC-16 with the polynomial 0x8005, from 0, most significant bit first."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1) ^ (0x8005 if value & 0x8000 else 0)
        value &= 0xFFFF
    return value


def packet(motor: int, instruction: int, parameters: bytes) -> bytes:
    """A packet as it goes over the wire."""
    body = bytes([instruction]) + parameters
    body = body.replace(b"\xff\xff\xfd", b"\xff\xff\xfd\xfd")
    whole = HEADER + bytes([motor]) + (len(body) + 2).to_bytes(2, "little") + body
    return whole + crc(whole).to_bytes(2, "little")


def packets(buffer: bytearray) -> Iterator[tuple[int, int, bytes, bool]]:
    """The whole packets in a buffer, which loses them: motor, instruction, parameters, whether the check sum is right."""
    while (start := buffer.find(HEADER)) >= 0 and len(buffer) >= start + 7:
        del buffer[:start]
        end = 7 + int.from_bytes(buffer[5:7], "little")
        if len(buffer) < end:
            return
        whole = bytes(buffer[:end])
        del buffer[:end]
        body = whole[7:-2].replace(b"\xff\xff\xfd\xfd", b"\xff\xff\xfd")
        yield whole[4], body[0], body[1:], crc(whole[:-2]) == int.from_bytes(whole[-2:], "little")


class FakeMotor:
    """One motor: its control table, and a shaft that goes to the goal at `speed` steps a second while it is stiff."""

    def __init__(self, family: Family, position: int) -> None:
        self.family = family
        self.table = bytearray(256)
        self.speed = family.ticks * 2.0
        self.silent = False
        self.stuck = False
        self._shaft = float(position)
        self._moved = time.monotonic()
        self.put((0, 2), family.number)
        self.put(family.goal, position)

    def put(self, place: tuple[int, int], value: int) -> None:
        self.table[place[0] : sum(place)] = value.to_bytes(place[1], "little")

    def get(self, place: tuple[int, int]) -> int:
        return int.from_bytes(self.table[place[0] : sum(place)], "little")

    @property
    def stiff(self) -> bool:
        return self.get(self.family.torque) == 1

    @property
    def position(self) -> int:
        return round(self._shaft)

    def move(self) -> None:
        now = time.monotonic()
        passed, self._moved = now - self._moved, now
        if self.stiff and not self.stuck:
            way = self.get(self.family.goal) - self._shaft
            self._shaft += min(max(way, -self.speed * passed), self.speed * passed)
        self.put(self.family.present, self.position)


class FakeBus:
    """The motors and their port, whose path is `path`. The port can be pulled out and put back."""

    def __init__(self, folder: Path, family: Family, positions: tuple[int, int, int, int]) -> None:
        self.path = folder / "port"
        self.motors = {number: FakeMotor(family, position) for number, position in enumerate(positions, 1)}
        self.noise = 0
        """How many answers will be garbled."""
        self._ends: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._out = threading.Event()
        self.plug()

    def plug(self) -> None:
        self._ends = os.openpty()
        tty.setraw(self._ends[1])
        with suppress(FileNotFoundError):
            self.path.unlink()
        self.path.symlink_to(os.ttyname(self._ends[1]))
        self._out.clear()
        self._thread = threading.Thread(target=self._serve, args=(self._ends[0],), name="fake motors")
        self._thread.start()

    def unplug(self) -> None:
        if self._thread is None or self._ends is None:
            return
        self._out.set()
        self._thread.join()
        self._thread = None
        self.path.unlink()
        for end in self._ends:
            os.close(end)

    def _serve(self, end: int) -> None:
        buffer = bytearray()
        while not self._out.is_set():
            if select.select([end], [], [], 0.02)[0]:
                with suppress(OSError):
                    buffer += os.read(end, 1024)
            for motor in self.motors.values():
                motor.move()
            for address, instruction, parameters, right in packets(buffer):
                for answer in self._answers(address, instruction, parameters, right):
                    if self.noise:
                        self.noise -= 1
                        answer = answer[:-1] + bytes([answer[-1] ^ 0xFF])
                    os.write(end, answer)

    def _answers(self, address: int, instruction: int, parameters: bytes, right: bool) -> Iterator[bytes]:
        place = int.from_bytes(parameters[:2], "little"), int.from_bytes(parameters[2:4], "little")
        if address == EVERYBODY and right:
            if instruction == SYNC_READ:
                for number in parameters[4:]:
                    yield from self._status(number, self._table(number, place))
            elif instruction == SYNC_WRITE:
                size = place[1]
                for at in range(4, len(parameters), size + 1):
                    self._store(parameters[at], place[0], parameters[at + 1 : at + 1 + size])
        elif not right:
            yield from self._status(address, b"", WRONG_CRC)
        elif instruction == PING:
            yield from self._status(address, self._table(address, (0, 3)))
        elif instruction == READ:
            yield from self._status(address, self._table(address, place))
        elif instruction == WRITE:
            self._store(address, place[0], parameters[2:])
            yield from self._status(address, b"")

    def _table(self, number: int, place: tuple[int, int]) -> bytes:
        return bytes(self.motors[number].table[place[0] : sum(place)]) if number in self.motors else b""

    def _store(self, number: int, address: int, data: bytes) -> None:
        if number in self.motors and not self.motors[number].silent:
            self.motors[number].table[address : address + len(data)] = data

    def _status(self, number: int, data: bytes, error: int = 0) -> Iterator[bytes]:
        motor = self.motors.get(number)
        if motor is not None and not motor.silent:
            alert = 0x80 if motor.get(motor.family.error) else 0
            yield packet(number, STATUS, bytes([error | alert]) + data)
