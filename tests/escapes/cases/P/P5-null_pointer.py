# about = "What lies at address 0 is read in the sandbox's own memory, or is a crash of the sandbox."
# backends = ["deno-sandbox", "subprocess"]
# expect = ["ok", "kind:crashed", "error:OSError", "error:ValueError"]
# session = ["kept", "reset"]
import ctypes

ctypes.string_at(0)
