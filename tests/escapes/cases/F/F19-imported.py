# host = "workshop"
# mounts = true
# about = "A module is not imported from a folder of the host."
# expect = "value:[]"
import importlib.machinery
import importlib.util
import runpy
import sys

file = tools.places()["file"]
folder = tools.places()["folder"]
imported = []
for path in (file, folder + "/base/programs/words", folder + "/secret.txt", "/open/../secret.txt", "/open/leak"):
    for use in (
        lambda: importlib.machinery.SourceFileLoader("x", path).load_module(),
        lambda: runpy.run_path(path),
        lambda: importlib.util.spec_from_file_location("y", path).loader.get_data(path),
        lambda: exec(compile(open(path).read(), path, "exec")),
    ):
        try:
            use()
            imported.append(path)
        except (OSError, ImportError, AttributeError):
            pass
sys.path.insert(0, folder)
try:
    import secret
    imported.append("secret")
except ImportError:
    pass
imported
