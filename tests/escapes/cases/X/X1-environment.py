# about = "The variable of the host is in no environment that the code can look into."
# also = ["subprocess", "container"]
# expect = "value:[]"
import os
import subprocess
import sys
import sysconfig

name = tools.places()["variable"]
found = []
for where, look in {
    "environ": lambda: name in os.environ or name.encode() in getattr(os, "environb", {}),
    "getenv": lambda: os.getenv(name) is not None,
    "expandvars": lambda: os.path.expandvars("$" + name) != "$" + name,
    "putenv": lambda: any("canary-" in value for value in os.environ.values()),
    "sysconfig": lambda: "canary-" in str(sysconfig.get_config_vars()),
    "argv": lambda: "canary-" in str(sys.argv) + str(getattr(sys, "orig_argv", "")) + str(sys.flags) + str(sys._xoptions),
    "env": lambda: b"canary-" in subprocess.run(["env"], capture_output=True).stdout,
}.items():
    try:
        if look():
            found.append(where)
    except (OSError, AttributeError, subprocess.SubprocessError):
        pass
found
