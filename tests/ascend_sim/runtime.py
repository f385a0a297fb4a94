"""The pretend CANN: built from runtime.c and hccl.c, and loaded before torch_npu looks for the real one."""

import ctypes
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ("runtime.c", "hccl.c")
LIBRARIES = (  # that torch_npu links or opens; the first holds the code, the others are names for it
    *("ascendcl", "hccl", "acl_op_compiler", "ge_runner", "graph", "acl_tdt_channel", "opapi", "nnopbase"),
    *("ascend_ml", "ascend_dump", "ascend_hal", "hcomm"),
)
FUNCTION = re.compile(r"\b((?:acl|Msprof|rt|Hccl|drv)\w*)\(")
STAND_IN = """void* {name}() {{
  if (getenv("NPU_SIM_VERBOSE")) fprintf(stderr, "ascend_sim: {name}\\n");
  return {value};
}}
"""


def wanted(torch_npu: Path) -> set[str]:
    """The C functions of CANN that torch_npu's libraries cannot be loaded without."""
    names: set[str] = set()
    for library in [*(torch_npu / "lib").glob("*.so"), *torch_npu.glob("_C*.so")]:
        if library.name != "libop_plugin_atb.so":
            listing = subprocess.run(
                ["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True
            ).stdout
            names |= {line.split()[-1] for line in listing.splitlines()}
    return {name for name in names if name.startswith(("acl", "Msprof", "rt", "Hccl"))}


def build(folder: Path, torch_npu: Path) -> None:
    """Compile into ``folder``; functions that nobody here calls become stand-ins that do nothing."""
    ours = {name for source in SOURCES for name in FUNCTION.findall((HERE / source).read_text())}
    rest = folder / "rest.c"
    stand_ins = (
        STAND_IN.format(name=name, value="malloc(256)" if "Create" in name else "0")
        for name in sorted(wanted(torch_npu) - ours)
    )
    rest.write_text("#include <stdio.h>\n#include <stdlib.h>\n" + "".join(stand_ins))
    compiler = ["cc", "-shared", "-fPIC", "-O2", "-w"]
    first = folder / f"lib{LIBRARIES[0]}.so"
    sources = [*(HERE / source for source in SOURCES), rest]
    subprocess.run([*compiler, f"-Wl,-soname,{first.name}", "-o", first, *sources, "-lrt"], check=True)
    for name in LIBRARIES[1:]:
        options = [f"-Wl,-soname,lib{name}.so,--no-as-needed", "-o", folder / f"lib{name}.so"]
        subprocess.run([*compiler, *options, first], check=True)


def load(folder: Path) -> None:
    """Load the libraries: once there, each answers to its name, and no search path is needed."""
    for name in LIBRARIES:
        ctypes.CDLL(str(folder / f"lib{name}.so"), mode=ctypes.RTLD_GLOBAL)
