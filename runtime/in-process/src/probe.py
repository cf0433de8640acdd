"""What the host has to know of a Python before it loads it. Runs in that Python."""

import json
import os
import sys
import sysconfig

value = sysconfig.get_config_var
names = [value("INSTSONAME"), value("LDLIBRARY")]
folders = [value("LIBDIR"), value("LIBPL"), os.path.join(sys.base_prefix, "lib")]
if value("LIBDIR") and value("MULTIARCH"):
    folders.append(os.path.join(value("LIBDIR"), value("MULTIARCH")))
folders.append(value("PYTHONFRAMEWORKPREFIX"))
candidates = [
    os.path.join(folder, name) for name in names if name for folder in folders if folder
]
print(
    json.dumps(
        {
            "implementation": sys.implementation.name,
            "version": list(sys.version_info[:3]),
            "executable": sys.executable,
            "bits": sys.maxsize.bit_length() + 1,
            "free_threaded": bool(value("Py_GIL_DISABLED")),
            "candidates": [
                path for path in dict.fromkeys(candidates) if ".so" in path or ".dylib" in path or path.endswith("Python")
            ],
        }
    )
)
