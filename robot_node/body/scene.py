"""The robot on a table in MuJoCo: the model that the simulator steps, and pictures of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# MuJoCo chooses how it draws when it is first imported, so only this module imports it. EGL needs no display.
os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco
import numpy as np

from robot_node.body.joints import JOINTS, Positions, limits, urdf

__all__ = ["HEIGHT", "TIMESTEP_S", "WIDTH", "World", "model", "painter", "render", "write_png"]

TIMESTEP_S = 0.002
WIDTH, HEIGHT = 640, 480

LOOK_FROM, LOOK_AT = np.array([0.80, 0.26, 0.33]), np.array([0.0, -0.005, 0.150])
"""Where the camera is and what it looks at, in metres."""

_STIFFNESS = 40.0
"""Newton metres a radian: the head's weight bends a joint by two thousandths of a radian."""


def model() -> Any:
    """The compiled `mujoco.MjModel`: the robot, one position actuator a joint in the order of `JOINTS`, a table."""
    spec = mujoco.MjSpec.from_file(str(urdf()))
    spec.option.timestep = TIMESTEP_S
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 2 * WIDTH, 2 * HEIGHT
    spec.visual.quality.offsamples = 4
    spec.visual.quality.shadowsize = 2048
    spec.visual.headlight.ambient = [0.38, 0.37, 0.36]
    spec.visual.headlight.diffuse = [0.22, 0.22, 0.22]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    _soften(spec)
    for joint in spec.joints:
        # What the geared motor's rotor adds; it also keeps the light levers between the hinges calm.
        joint.armature = 0.01
    for name, limit in zip(JOINTS, limits(), strict=True):
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.set_to_position(kp=_STIFFNESS, dampratio=1.0)
        actuator.ctrlrange = [limit.lower, limit.upper]
    _furnish(spec)
    return spec.compile()


class World:
    """The robot in motion. Not safe for several threads."""

    def __init__(self) -> None:
        self.model = model()
        self._data = mujoco.MjData(self.model)
        self._at = [int(self.model.joint(name).qposadr[0]) for name in JOINTS]
        self._speed_at = [int(self.model.joint(name).dofadr[0]) for name in JOINTS]

    @property
    def positions(self) -> Positions:
        """Where the joints are, in radians."""
        return tuple(float(self._data.qpos[index]) for index in self._at)

    @property
    def velocities(self) -> Positions:
        """How fast they turn, in radians a second."""
        return tuple(float(self._data.qvel[index]) for index in self._speed_at)

    def step(self, wanted: Positions) -> None:
        """Let `TIMESTEP_S` pass, with the actuators drawing the joints to `wanted`, in radians."""
        self._data.ctrl[:] = wanted
        mujoco.mj_step(self.model, self._data)

    def window(self) -> Any:
        """Open MuJoCo's window on it; its `sync()` shows the present state. Raises what MuJoCo raises."""
        from mujoco import viewer

        window = viewer.launch_passive(self.model, self._data, show_left_ui=False, show_right_ui=False)
        with window.lock():
            # The camera of the pictures, and free to be moved.
            window.cam.lookat[:] = LOOK_AT
            window.cam.distance = float(np.linalg.norm(LOOK_FROM - LOOK_AT))
            window.cam.azimuth, window.cam.elevation = -162.0, -13.0
        return window


def _soften(spec: Any) -> None:
    """Nothing of the robot touches anything, and it looks like wool rather than plastic."""
    spec.add_texture(
        name="wool",
        type=mujoco.mjtTexture.mjTEXTURE_CUBE,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        mark=mujoco.mjtMark.mjMARK_RANDOM,
        rgb1=[1, 1, 1],
        markrgb=[0.93, 0.93, 0.93],
        random=0.2,
        width=96,
        height=96,
    )
    soft = spec.add_material(name="soft", specular=0.0, shininess=0.0)
    soft.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "wool"
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
        if geom.group == 0:  # what the description has for collisions
            geom.rgba = [0, 0, 0, 0]
        elif sum(geom.rgba[:3]) > 1:  # the eyes may shine
            geom.material = "soft"


def _furnish(spec: Any) -> None:
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.93, 0.91, 0.87],
        rgb2=[0.72, 0.75, 0.76],
        width=256,
        height=1536,
    )
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=[0.42, 0.015, 0],
        pos=[0, 0, -0.015],
        rgba=[0.83, 0.72, 0.58, 1],
        contype=0,
        conaffinity=0,
        group=1,
    )
    light = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    spec.worldbody.add_light(
        type=light, pos=[0.5, 0.6, 1.4], dir=[-0.45, -0.45, -1], diffuse=[0.55, 0.53, 0.50], castshadow=True
    )
    spec.worldbody.add_light(
        type=light, pos=[0.8, -0.8, 0.6], dir=[-0.7, 0.7, -0.5], diffuse=[0.16, 0.17, 0.19], castshadow=False
    )
    back = (LOOK_FROM - LOOK_AT) / np.linalg.norm(LOOK_FROM - LOOK_AT)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    spec.worldbody.add_camera(name="front", pos=LOOK_FROM, xyaxes=[*right, *np.cross(back, right)], fovy=30)


@contextmanager
def painter(scene: Any, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Any]:
    """Something that draws: called with positions in radians it returns pixels, (height, width, 3), uint8.

    For one thread only. Raises `RuntimeError` when this machine cannot draw without a display.
    """
    data = mujoco.MjData(scene)
    try:
        renderer = mujoco.Renderer(scene, height, width)
    except Exception as error:
        raise RuntimeError(f"MuJoCo cannot draw with MUJOCO_GL={os.environ['MUJOCO_GL']}: {error}") from error
    addresses = [scene.joint(name).qposadr[0] for name in JOINTS]

    def paint(positions: Positions) -> Any:
        data.qpos[addresses] = positions
        mujoco.mj_forward(scene, data)
        renderer.update_scene(data, camera="front")
        return renderer.render()

    try:
        yield paint
    finally:
        renderer.close()


def render(positions: Positions, path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    """Write a PNG of the robot with its joints at `positions`, in radians."""
    with painter(model(), width, height) as paint:
        write_png(paint(positions), path)


def write_png(pixels: Any, path: Path) -> None:
    """Write pixels, (height, width, 3) of uint8, as a PNG. A reader never finds half of one."""
    import struct
    import zlib

    height, width, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    part = path.with_name(path.name + ".part")
    part.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + chunk(b"IEND", b"")
    )
    part.replace(path)
