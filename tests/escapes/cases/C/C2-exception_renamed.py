# about = "Code that replaces the exceptions of interruption is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import builtins

builtins.KeyboardInterrupt = builtins.BaseException = builtins.SystemExit = int
while True:
    pass
