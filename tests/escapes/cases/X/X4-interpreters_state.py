# about = "What one session does to its interpreter, its library and its modules is not there in another."
# also = ["subprocess"]
# expect = "value:[]"
import atexit
import builtins
import os
import sys
import textwrap
import types

builtins.left_behind = 1
textwrap.dedent = lambda text: "left behind"
sys.modules["left_behind"] = types.ModuleType("left_behind")
sys.path.append("/left_behind")
sys.setrecursionlimit(77777)
os.environ["LEFT_BEHIND"] = "1"
atexit.register(print, "left behind")
sys.meta_path.insert(0, types.SimpleNamespace(find_spec=lambda *args: None))
import locale
import signal
import warnings

warnings.filterwarnings("error", message="left behind")
# ---- next session
import builtins
import os
import sys
import textwrap
import warnings

found = []
found += ["builtins"] if hasattr(builtins, "left_behind") else []
found += ["textwrap"] if textwrap.dedent("1") != "1" else []
found += ["modules"] if "left_behind" in sys.modules else []
found += ["path"] if "/left_behind" in sys.path else []
found += ["recursion"] if sys.getrecursionlimit() == 77777 else []
found += ["environ"] if "LEFT_BEHIND" in os.environ else []
found += ["warnings"] if "left behind" in str(warnings.filters) else []
found += ["meta_path"] if any(type(finder).__name__ == "SimpleNamespace" for finder in sys.meta_path) else []
found
