# about = "A module from an artifact that never ends is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import types

artifacts.save("spin", "while True:\n    pass\n", "source of a module")
module = types.ModuleType("spin")
exec(artifacts.load("spin"), vars(module))
