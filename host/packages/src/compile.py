"""Compiles the packages in a folder; runs in a sandbox that may write there.

The bytecode is not checked against its source when it is imported: nobody changes the folder
afterwards. The last expression is the answer to the host.
"""

import os
import py_compile

FOLDER = "/packages"


def fail(error: OSError) -> None:
    """A folder that cannot be read is no empty one."""
    raise error


def sources(folder: str) -> list[str]:
    """The Python files below a folder."""
    found: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        found += [os.path.join(parent, file) for file in sorted(files) if file.endswith(".py")]
    return found


def compile_all(folder: str) -> dict[str, int]:
    """Leaves bytecode beside every file that is Python; templates and old syntax are skipped."""
    compiled = skipped = 0
    for source in sources(folder):
        try:
            py_compile.compile(
                source,
                doraise=True,
                optimize=0,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
            compiled += 1
        except (py_compile.PyCompileError, RecursionError, MemoryError):
            skipped += 1
    return {"compiled": compiled, "skipped": skipped}


compile_all(FOLDER)
