"""Four Dynamixel motors on a serial bus, through ROBOTIS's SDK. Blocking: for one thread of its own.

Addresses and units are from the motors' control tables: emanual.robotis.com/docs/en/dxl/x/xl320 and .../xl330-m288.
"""

import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, radians
from typing import Any

import serial
from dynamixel_sdk import COMM_SUCCESS, PacketHandler, PortHandler

from robot_node.body.joints import JOINTS, Positions

__all__ = ["FAMILIES", "Bus", "Family", "MotorError", "Mounting"]

ALERT = 0x80
"""The bit of every answer that says: look at my hardware error status."""

PATIENCE = 5
"""How many answers in a row may be lost: a cable that moves garbles one now and then."""


GONE = (OSError, serial.SerialException, termios.error, IndexError)
"""What the SDK and pyserial raise when a port disappears under them."""


class MotorError(Exception):
    """The motors cannot be used now; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Family:
    """One model of motor: where in its control table things are, as (address, bytes)."""

    number: int
    """What the motor says when it is asked which model it is."""
    mode: tuple[int, int]
    position_mode: int
    torque: tuple[int, int]
    force: tuple[int, int]
    greatest_force: int
    goal: tuple[int, int]
    present: tuple[int, int]
    error: tuple[int, int]
    ticks: int
    """How many steps the range has."""
    span: float
    """The range in radians."""
    faults: dict[int, str]
    """Bits of the hardware error status."""

    @property
    def middle(self) -> int:
        """The step in the middle of the range."""
        return self.ticks // 2

    def to_ticks(self, angle: float) -> int:
        """The step nearest to an angle in radians from the middle, inside the range."""
        return min(max(round(self.middle + angle * self.ticks / self.span), 0), self.ticks - 1)

    def to_angle(self, ticks: int) -> float:
        """The angle in radians from the middle."""
        return (ticks - self.middle) * self.span / self.ticks


FAMILIES = {
    "XL-320": Family(
        number=350,
        mode=(11, 1),
        position_mode=2,
        torque=(24, 1),
        force=(35, 2),
        greatest_force=1023,
        goal=(30, 2),
        present=(37, 2),
        error=(50, 1),
        ticks=1024,
        span=radians(300),
        faults={0: "overload", 1: "overheating", 2: "input voltage"},
    ),
    "XL330-M288": Family(
        number=1200,
        mode=(11, 1),
        position_mode=5,  # by position, with the current held under its goal
        torque=(64, 1),
        force=(102, 2),
        greatest_force=1750,
        goal=(116, 4),
        present=(132, 4),
        error=(70, 1),
        ticks=4096,
        span=2 * pi,
        faults={0: "input voltage", 2: "overheating", 3: "encoder", 4: "electrical shock", 5: "overload"},
    ),
}


@dataclass(frozen=True, slots=True)
class Mounting:
    """How one motor is built in: its number on the bus, its direction, its angle at the joint's zero, its gear."""

    id: int
    direction: int
    zero: float
    gear: float

    def to_motor(self, joint: float) -> float:
        """The motor's angle in radians for a joint's."""
        return self.zero + self.direction * self.gear * joint

    def to_joint(self, motor: float) -> float:
        """The joint's angle in radians for a motor's."""
        return (motor - self.zero) * self.direction / self.gear


class _Port(PortHandler):
    """The SDK's port, waiting for bytes rather than spinning, on a clock that never jumps."""

    def setupPort(self, cflag_baud: int) -> bool:  # noqa: N802 - the SDK's name
        done: bool = super().setupPort(cflag_baud)
        self.ser.timeout = 0.004
        return done

    def getCurrentTime(self) -> float:  # noqa: N802
        return time.monotonic() * 1000


class Bus:
    """The motors of all joints, in the order of `JOINTS`. Every method raises `MotorError` when a motor fails."""

    def __init__(self, port: str, baud: int, family: Family, mountings: Sequence[Mounting], force: float) -> None:
        self._family = family
        self._mountings = mountings
        self._packets = PacketHandler(2.0)
        self._misses = 0
        self._port = _Port(port)
        self._port.baudrate = baud
        try:
            opened = self._port.openPort()
        except GONE as error:
            raise MotorError(f"the port {port} cannot be opened: {error}") from None
        if not opened:
            raise MotorError(f"the port {port} does not do {baud} bits a second")
        try:
            self._set_up(force)
        except MotorError:
            self.close()
            raise

    def _set_up(self, force: float) -> None:
        family = self._family
        for name, motor in zip(JOINTS, self._mountings, strict=True):
            model, result, _ = self._call(self._packets.ping, motor.id)
            if result != COMM_SUCCESS:
                raise MotorError(f"motor {motor.id} ({name}) does not answer")
            if model != family.number:
                raise MotorError(f"motor {motor.id} ({name}) is of model {model}, not {family.number}")
            self._write(motor.id, family.torque, 0)  # the mode can only be set while it is limp
            self._write(motor.id, family.mode, family.position_mode)
        # A motor that stiffens goes to its goal: first that has to be where it is.
        here = self.read()
        while here is None:
            here = self.read()
        self.send(here)
        for motor in self._mountings:
            self._write(motor.id, family.torque, 1)
            # Both models may forget their force while they are limp.
            self._write(motor.id, family.force, round(force * family.greatest_force))

    def read(self) -> Positions | None:
        """Where the joints are, in radians; None when an answer was lost. `PATIENCE` of those in a row are an error."""
        address, size = self._family.present
        ids = [motor.id for motor in self._mountings]
        if self._call(self._packets.syncReadTx, address, size, ids, len(ids), False) != COMM_SUCCESS:
            raise MotorError("the port does not take what is sent")
        found, alerts = [], []
        for name, motor in zip(JOINTS, self._mountings, strict=True):
            data, result, error = self._call(self._packets.readRx, motor.id, size)
            if result != COMM_SUCCESS:
                self._missed()
                return None
            if error & ALERT:
                alerts.append((name, motor))
            ticks = int.from_bytes(bytes(data[:size]), "little", signed=size == 4)
            found.append(motor.to_joint(self._family.to_angle(ticks)))
        self._misses = 0
        if alerts:
            raise MotorError("; ".join(self._fault(name, motor) for name, motor in alerts))
        return tuple(found)

    def send(self, positions: Positions) -> None:
        """Give all motors their goals at once; nobody answers to that."""
        address, size = self._family.goal
        data = []
        for motor, position in zip(self._mountings, positions, strict=True):
            ticks = self._family.to_ticks(motor.to_motor(position))
            data += [motor.id, *ticks.to_bytes(size, "little")]
        if self._call(self._packets.syncWriteTxOnly, address, size, data, len(data)) != COMM_SUCCESS:
            raise MotorError("the port does not take what is sent")

    def relax(self) -> None:
        """Torque off, for every motor that still listens."""
        failed = None
        for motor in self._mountings:
            try:
                self._write(motor.id, self._family.torque, 0)
            except MotorError as error:
                failed = error
        if failed:
            raise failed

    def close(self) -> None:
        """Close the port, whatever state it is in."""
        try:
            self._port.closePort()
        except GONE:
            self._port.is_open = False

    def _missed(self) -> None:
        self._misses += 1
        if self._misses < PATIENCE:
            return
        silent = [
            f"{motor.id} ({name})"
            for name, motor in zip(JOINTS, self._mountings, strict=True)
            if self._call(self._packets.ping, motor.id)[1] != COMM_SUCCESS
        ]
        raise MotorError(f"motor {', '.join(silent)} does not answer" if silent else "the answers are garbled")

    def _fault(self, name: str, motor: Mounting) -> str:
        value, result, _ = self._call(self._packets.read1ByteTxRx, motor.id, self._family.error[0])
        if result != COMM_SUCCESS:
            return f"motor {motor.id} ({name}) reports a fault and does not say which"
        faults = [text for bit, text in self._family.faults.items() if value & 1 << bit]
        return f"motor {motor.id} ({name}) reports {', '.join(faults) or f'fault {value}'}"

    def _write(self, motor: int, place: tuple[int, int], value: int) -> None:
        address, size = place
        data = list(value.to_bytes(size, "little"))
        result, error = self._call(self._packets.writeTxRx, motor, address, size, data)
        if result != COMM_SUCCESS:
            raise MotorError(f"motor {motor} does not answer")
        if error & ~ALERT:
            raise MotorError(f"motor {motor} refuses {value} at {address}: error {error}")

    def _call(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(self._port, *arguments)
        except GONE as error:
            raise MotorError(f"the port is gone: {error}") from None
