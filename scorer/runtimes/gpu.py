"""Finds the first GPU of this machine through NVIDIA's driver.

It needs no other library, because TensorRT crashes the process where there is no GPU.
"""

import ctypes
import sys
from dataclasses import dataclass

from scorer.errors import NoGpu

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*, cuda.h
_REMEDY = "go to a machine with an NVIDIA GPU, or rank scorer.onnx on the CPU with --runtime cpu"


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name and compute capability (major, minor)."""

    name: str
    capability: tuple[int, int]

    @property
    def architecture(self) -> str:
        """The architecture, such as sm89."""
        return "sm{}{}".format(*self.capability)


def find() -> Gpu:
    """The first GPU. Raises NoGpu."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError as error:
        raise NoGpu(f"no NVIDIA driver ({_DRIVER}) on this machine", remedy=_REMEDY) from error
    if code := driver.cuInit(0):
        raise NoGpu(f"the NVIDIA driver finds no GPU (cuInit: {code})", remedy=_REMEDY)
    device, count = ctypes.c_int(), ctypes.c_int()
    if driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        raise NoGpu("the NVIDIA driver lists no GPU", remedy=_REMEDY)
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDeviceGetName(name, len(name), device)
    sides = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        sides.append(value.value)
    return Gpu(name.value.decode(errors="replace"), (sides[0], sides[1]))
