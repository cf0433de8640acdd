# about = "Folders of the system are not there, or not to be written."
# expect = "value:[]"
import os

made = []
for folder in ("/", "/etc", "/lib", "/usr", "/bin", "/root", "/var", "/proc", "/sys"):
    try:
        with open(os.path.join(folder, "made_by_the_sandbox"), "w") as file:
            file.write("x")
        made.append(folder)
    except OSError:
        pass
# Behind some walls the root is the session's own, in memory.
[folder for folder in made if folder != "/"]
